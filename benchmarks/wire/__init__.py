"""What speech costs on the wire: ours, Opus, Codec2 and PCM, over MQTT and TCP/IP, headers and answers included."""
