#!/bin/sh
# The certificates, passwords and access rules of a small Voxwire site. README.md shows it at work.
#
# Everything is kept in the folder $SITE (default: ./site):
#   authority/       our certificate authority. Whoever has authority/ca.key can be anybody: keep it off the broker.
#   broker/          what the broker needs, and nothing else: `install` copies it
#   clients/NAME/    what the device NAME needs: ca.crt, NAME.crt, NAME.key, and a sample of its configuration
#   members          who is who: role, name, streams; the access rules are made from it
#
# Needs openssl 3 and, for passwords, mosquitto_passwd (the Debian package mosquitto).
set -eu

SITE=${SITE:-./site}
CLIENT_DAYS=${CLIENT_DAYS:-825}
BROKER_DAYS=${BROKER_DAYS:-397}
AUTHORITY_DAYS=3650
WARN_DAYS=30
HERE=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
ROLES="gateway player operator monitor"
export SITE

usage() {
    cat <<'END'
usage: site.sh COMMAND …
  init HOST…                           a new authority, and the broker's certificate for these names and addresses
  add ROLE NAME [STREAM…] [--csr FILE] [--password]
                                       a client: gateway (of these streams), player, operator, monitor (default: all)
                                       --csr: the device made its own key; --password: no certificate, reads one line
  renew NAME                           a new key and certificate for a client; the old one is revoked
  renew --broker [HOST…]               the same for the broker
  revoke NAME                          shut a client out: certificate, password and rights
  list                                 who is who, and how long each certificate lasts
  install [PREFIX]                     copy what the broker needs to PREFIX/etc/mosquitto (as root, on the broker)
The folder is $SITE, by default ./site.
END
}

fail() {
    echo "site.sh: $*" >&2
    exit 1
}

main() {
    umask 077
    [ $# -gt 0 ] || { usage >&2; exit 2; }
    command=$1
    shift
    case $command in
        init) init "$@" ;;
        add) need_site && add "$@" ;;
        renew) need_site && renew "$@" ;;
        revoke) need_site && revoke "$@" ;;
        list) need_site && list ;;
        install) need_site && install_files "$@" ;;
        -h | --help | help) usage ;;
        *) usage >&2; exit 2 ;;
    esac
}

# --- commands ---

init() {
    [ $# -gt 0 ] || fail "init needs the names or addresses that clients use for the broker, such as broker.local"
    [ ! -e "$SITE" ] || fail "$SITE is there already; choose another folder by SITE=…, or add to this one"
    for host in "$@"; do check_host "$host"; done
    mkdir -p "$SITE/authority/certificates" "$SITE/broker" "$SITE/clients"
    : > "$SITE/authority/issued"
    echo 01 > "$SITE/authority/crlnumber"
    : > "$SITE/members"
    : > "$SITE/broker/passwords"
    # The section with the broker's names is read, though not used, by every openssl call.
    export ALTERNATIVE_NAMES="DNS:unused"
    new_key "$SITE/authority/ca.key"
    # The day before: a device whose clock is late must be able to begin.
    quietly openssl req -new -config "$HERE/openssl.cnf" -section request -key "$SITE/authority/ca.key" \
        -subj "/CN=Voxwire site $(openssl rand -hex 4)" -out "$SITE/authority/ca.csr"
    quietly openssl ca -batch -notext -config "$HERE/openssl.cnf" -selfsign -extensions authority \
        -keyfile "$SITE/authority/ca.key" -startdate "$(day_before)" -enddate "$(after_days $AUTHORITY_DAYS)" \
        -in "$SITE/authority/ca.csr" -out "$SITE/authority/ca.crt"
    rm "$SITE/authority/ca.csr"
    cp "$SITE/authority/ca.crt" "$SITE/broker/ca.crt"
    broker_certificate "$@"
    write_revoked
    write_rules
    echo "made $SITE: an authority, and the broker's certificate for $*"
}

add() {
    role=${1:-}
    name=${2:-}
    [ -n "$name" ] || { usage >&2; exit 2; }
    shift 2
    contains "$ROLES" "$role" || fail "there is no role '$role'; the roles are: $ROLES"
    check_id "$name" "name"
    [ -z "$(role_of "$name")" ] || fail "there is a $(role_of "$name") '$name' already; revoke it first, or renew it"
    streams=
    csr=
    password=
    while [ $# -gt 0 ]; do
        case $1 in
            --csr)
                [ $# -gt 1 ] || fail "--csr needs a file"
                csr=$2
                [ -f "$csr" ] || fail "there is no certificate request at $csr"
                shift
                ;;
            --password) password=yes ;;
            *)
                check_id "$1" "stream"
                streams="$streams $1"
                ;;
        esac
        shift
    done
    [ -z "$csr" ] || [ -z "$password" ] || fail "--csr and --password exclude each other"
    [ "$role" != gateway ] || [ -n "$streams" ] ||
        fail "a gateway needs the streams that it may send: add gateway $name lobby"
    [ -z "$password" ] || read_password "$name"
    mkdir -p "$SITE/clients/$name"
    cp "$SITE/broker/ca.crt" "$SITE/clients/$name/ca.crt"
    if [ -n "$password" ]; then
        set_password "$name"
    else
        client_certificate "$name" "$csr"
    fi
    echo "$role $name${streams:- *}" >> "$SITE/members"
    write_rules
    write_sample "$role" "$name" "$password" "${streams#" "}"
    echo "added the $role $name: copy $SITE/clients/$name to its device"
    push
}

renew() {
    [ $# -gt 0 ] || { usage >&2; exit 2; }
    if [ "$1" = --broker ]; then
        shift
        # shellcheck disable=SC2046  # one word per line
        [ $# -gt 0 ] || set -- $(cat "$SITE/authority/hosts")
        for host in "$@"; do check_host "$host"; done
        mv "$SITE/broker/broker.crt" "$SITE/authority/old.crt"
        broker_certificate "$@"
        revoke_certificate "$SITE/authority/old.crt"
        rm "$SITE/authority/old.crt"
        write_revoked
        echo "the broker has a new certificate for $*"
    else
        name=$1
        need_member "$name"
        certificate="$SITE/clients/$name/$name.crt"
        if [ -f "$certificate" ]; then
            [ -f "$SITE/clients/$name/$name.key" ] ||
                fail "$name made its own key: revoke it and add it with a new --csr"
            mv "$certificate" "$certificate.old"
            client_certificate "$name" ""
            revoke_certificate "$certificate.old"
            rm "$certificate.old"
            write_revoked
        else
            read_password "$name"
            set_password "$name"
        fi
        echo "$name is renewed: copy $SITE/clients/$name to its device, and only then install: that ends the old one"
    fi
    push
}

revoke() {
    name=${1:-}
    [ -n "$name" ] || { usage >&2; exit 2; }
    need_member "$name"
    [ ! -f "$SITE/clients/$name/$name.crt" ] || revoke_certificate "$SITE/clients/$name/$name.crt"
    write_revoked
    without_name "$SITE/broker/passwords" "$name"
    grep -v "^[a-z]* $name " "$SITE/members" > "$SITE/members.new" || true
    mv "$SITE/members.new" "$SITE/members"
    write_rules
    rm -r "$SITE/clients/$name"
    echo "$name is revoked"
    # A reload takes its rights away and lets it in no more. Mosquitto goes on handing out what it left behind retained:
    # only a restart forgets that, and all others come back from one by themselves.
    push restart
}

list() {
    printf '%-9s %-32s %-24s %s\n' ROLE NAME "VALID UNTIL" STREAMS
    expiry "$SITE/broker/broker.crt"
    printf '%-9s %-32s %-24s %s\n' broker "$(head -n 1 "$SITE/authority/hosts")" "$until" ""
    while read -r its_role its_name its_streams; do
        until=password
        [ ! -f "$SITE/clients/$its_name/$its_name.crt" ] || expiry "$SITE/clients/$its_name/$its_name.crt"
        printf '%-9s %-32s %-24s %s\n' "$its_role" "$its_name" "$until" "$its_streams"
    done < "$SITE/members"
}

# Read by the broker's own user, written by root alone.
install_files() {
    target="${1:-}/etc/mosquitto"
    group=root
    if [ -z "${1:-}" ]; then
        [ "$(id -u)" = 0 ] || fail "install writes to $target: run it as root"
        getent group mosquitto > /dev/null || fail "there is no group mosquitto: apt-get install mosquitto"
        group=mosquitto
    else
        group=$(id -gn)
    fi
    owner=$(id -un)
    install -d -m 755 "$target" "$target/conf.d"
    install -d -m 750 -o "$owner" -g "$group" "$target/voxwire"
    for file in "$SITE"/broker/*; do
        # Beside it and then moved: a broker that reloads at this moment reads the old file or the new one.
        install -m 640 -o "$owner" -g "$group" "$file" "$target/voxwire/.new"
        mv "$target/voxwire/.new" "$target/voxwire/${file##*/}"
    done
    if [ -f "$target/mosquitto.conf" ] && ! cmp -s "$HERE/mosquitto.conf" "$target/mosquitto.conf"; then
        cp -n "$target/mosquitto.conf" "$target/mosquitto.conf.before-voxwire"
    fi
    install -m 644 "$HERE/mosquitto.conf" "$target/mosquitto.conf"
    echo "installed in $target; the first time: systemctl restart mosquitto, later: systemctl reload mosquitto"
}

# --- certificates ---

broker_certificate() {
    ALTERNATIVE_NAMES=
    for host in "$@"; do
        case $host in
            *:*) kind=IP ;;
            *[!0-9.]*) kind=DNS ;;
            *) kind=IP ;;
        esac
        ALTERNATIVE_NAMES="$ALTERNATIVE_NAMES${ALTERNATIVE_NAMES:+,}$kind:$host"
    done
    export ALTERNATIVE_NAMES
    new_key "$SITE/broker/broker.key"
    sign broker "$1" "$BROKER_DAYS" "$SITE/broker/broker.key" "" "$SITE/broker/broker.crt"
    printf '%s\n' "$@" > "$SITE/authority/hosts"
}

client_certificate() { # NAME CSR
    key="$SITE/clients/$1/$1.key"
    [ -n "$2" ] || new_key "$key"
    sign client "$1" "$CLIENT_DAYS" "$key" "$2" "$SITE/clients/$1/$1.crt"
}

sign() { # PROFILE NAME DAYS KEY CSR OUT; the name is ours, whatever the request says
    : "${ALTERNATIVE_NAMES:=DNS:unused}"
    export ALTERNATIVE_NAMES
    request=$5
    if [ -z "$request" ]; then
        request="$6.csr"
        quietly openssl req -new -config "$HERE/openssl.cnf" -section request -key "$4" -subj "/CN=$2" -out "$request"
    fi
    quietly openssl ca -batch -notext -config "$HERE/openssl.cnf" -extensions "$1" -subj "/CN=$2" \
        -startdate "$(day_before)" -enddate "$(after_days "$3")" -in "$request" -out "$6"
    [ -n "$5" ] || rm "$request"
}

revoke_certificate() {
    : "${ALTERNATIVE_NAMES:=DNS:unused}"
    export ALTERNATIVE_NAMES
    quietly openssl ca -config "$HERE/openssl.cnf" -revoke "$1"
}

write_revoked() {
    : "${ALTERNATIVE_NAMES:=DNS:unused}"
    export ALTERNATIVE_NAMES
    quietly openssl ca -config "$HERE/openssl.cnf" -gencrl -out "$SITE/broker/revoked.crl"
}

new_key() {
    quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

expiry() { # sets `until`: the last day, and a warning
    until=$(date -u -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%Y-%m-%d)
    if ! openssl x509 -noout -checkend 0 -in "$1" > /dev/null; then
        until="$until EXPIRED"
    elif ! openssl x509 -noout -checkend $((WARN_DAYS * 86400)) -in "$1" > /dev/null; then
        until="$until RENEW SOON"
    fi
}

day_before() {
    date -u -d "1 day ago" +%Y%m%d%H%M%SZ
}

after_days() {
    date -u -d "$1 days" +%Y%m%d%H%M%SZ
}

# --- access rules and passwords ---

write_rules() {
    {
        echo "# Made by site.sh from roles/*.acl and the members of the site: change those."
        while read -r its_role its_name its_streams; do
            printf '\nuser %s\n' "$its_name"
            # The lines about streams once for each stream, then the others.
            for stream in $(echo "$its_streams" | tr '*' '+'); do
                sed -n -e '/^#/d' -e "s/@STREAM@/$stream/p" "$HERE/roles/$its_role.acl"
            done
            sed -e '/^#/d' -e '/@STREAM@/d' -e "s/@NAME@/$its_name/" "$HERE/roles/$its_role.acl"
        done < "$SITE/members"
    } > "$SITE/broker/acl.new"
    mv "$SITE/broker/acl.new" "$SITE/broker/acl"
}

read_password() { # sets `secret` from one line; never from the command line, which everybody on the machine can see
    command -v mosquitto_passwd > /dev/null || fail "mosquitto_passwd is missing: apt-get install mosquitto"
    [ ! -t 0 ] || { printf 'password for %s: ' "$1" >&2; stty -echo; trap 'stty echo' EXIT; }
    IFS= read -r secret || [ -n "$secret" ] || fail "a password was expected on standard input, one line"
    [ ! -t 0 ] || { stty echo; echo >&2; }
    case $secret in *:*) fail "the password for $1 must have no colon, which ends a field of the password file" ;; esac
    [ ${#secret} -ge 12 ] ||
        fail "the password for $1 must have 12 characters or more, got ${#secret}; openssl rand -hex 16 makes one"
}

set_password() { # NAME; to `secret`
    without_name "$SITE/broker/passwords" "$1"
    printf '%s:%s\n' "$1" "$secret" > "$SITE/broker/passwords.one"
    quietly mosquitto_passwd -U "$SITE/broker/passwords.one"
    cat "$SITE/broker/passwords.one" >> "$SITE/broker/passwords"
    rm "$SITE/broker/passwords.one"
    printf '%s\n' "$secret" > "$SITE/clients/$1/password"
}

without_name() { # FILE NAME
    grep -v "^$2:" "$1" > "$1.new" || true
    mv "$1.new" "$1"
}

write_sample() { # ROLE NAME PASSWORD STREAMS
    host=$(head -n 1 "$SITE/authority/hosts")
    stream=${4%% *}
    case $1 in
        gateway) file=gateway.toml ;;
        player) file=edge-player.toml ;;
        *) return 0 ;;
    esac
    {
        echo "# For --config. The paths are those on the device. The broker lets it speak under no other id than $2."
        echo "[broker]"
        if [ -n "$3" ]; then
            echo "url = \"mqtts://$host:8884\""
            echo "username = \"$2\""
            echo "password_file = \"/etc/voxwire/password\""
        else
            echo "url = \"mqtts://$host:8883\""
            echo "cert_file = \"/etc/voxwire/$2.crt\""
            echo "key_file = \"/etc/voxwire/$2.key\""
        fi
        echo "ca_file = \"/etc/voxwire/ca.crt\""
        echo
        [ -z "$stream" ] || printf '[stream]\nname = "%s"\n\n' "$stream"
        printf '[run]\nid = "%s"\n' "$2"
    } > "$SITE/clients/$2/$file"
}

# --- small parts ---

need_site() {
    [ -f "$SITE/members" ] || fail "there is no site in $SITE; begin with: site.sh init broker.local"
}

need_member() {
    [ -n "$(role_of "$1")" ] || fail "there is no client '$1'; see: site.sh list"
}

role_of() {
    while read -r its_role its_name _; do
        [ "$its_name" != "$1" ] || echo "$its_role"
    done < "$SITE/members"
}

contains() {
    case " $1 " in *" $2 "*) return 0 ;; esac
    return 1
}

# Names stand in topics and in the access rules: + # / or a space there would mean something else.
check_id() {
    case $1 in '' | *[!a-z0-9-]*) fail "the $2 must be of a-z, 0-9 and -, got '$1'" ;; esac
    [ ${#1} -le 32 ] || fail "the $2 must have at most 32 characters, got ${#1}"
}

check_host() {
    case $1 in
        '' | -* | *[!A-Za-z0-9.:-]*)
            fail "expected a host name or an address such as broker.local or 192.168.1.10, got '$1'"
            ;;
    esac
}

push() {
    echo "then, on the broker: site.sh install && systemctl ${1:-reload} mosquitto"
}

# openssl talks a lot; what it says matters only when it fails.
quietly() {
    said=$("$@" 2>&1) || fail "$1 $2 failed: $said"
}

main "$@"
