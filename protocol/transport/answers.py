"""What a broker's reason codes mean for us, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from protocol.transport.backoff import EndReason
from protocol.transport.broker_config import BrokerConfig
from protocol.transport.explain import Explanation
from protocol.transport.version_choice import version_name

_NOT_AUTHORISED: Final = 0x87
_LOGIN_REFUSALS: Final = frozenset({0x86, _NOT_AUTHORISED, 0x8A, 0x8C})  # and bad login, banned, bad method
_VERSION_REFUSED: Final = 0x84
_TAKEN_OVER: Final = 0x8E


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a broker did not take a message."""

    text: str
    not_authorised: bool


def explain_connack(code: ReasonCode, config: BrokerConfig, *, version: int) -> Explanation:
    """A CONNACK that says no."""
    if code.value == _VERSION_REFUSED:
        return Explanation(EndReason.VERSION_REFUSED, f"the broker does not speak MQTT {version_name(version)}")
    if code.value in _LOGIN_REFUSALS:
        text = f"the broker refused the login {config.as_whom} ({code}); check user name, password and its access list"
        return Explanation(EndReason.LOGIN_REFUSED, text)
    return Explanation(EndReason.REFUSED, f"the broker refused the connection ({code})")


def explain_disconnect(code: ReasonCode, config: BrokerConfig, *, from_broker: bool) -> Explanation:
    """The end of a session that the broker had accepted; `from_broker`: it said so in a DISCONNECT packet."""
    if from_broker and code.value == _TAKEN_OVER:
        return Explanation(EndReason.TAKEN_OVER, "another connection uses our client id")
    if from_broker and code.value == _NOT_AUTHORISED:
        text = f"the broker threw us out: not authorised {config.as_whom} for what we did; check its access list"
        return Explanation(EndReason.LOGIN_REFUSED, text)
    return Explanation(EndReason.LOST, f"connection lost ({code})")


def explain_puback(code: ReasonCode) -> Objection | None:
    """None where the broker took the message."""
    return Objection(str(code), code.value == _NOT_AUTHORISED) if code.is_failure else None
