# The first payload of each direction of a connection: one match a direction, its bytes come with it.

signature aegis-entropy-tcp-orig {
  ip-proto == tcp
  payload /[\x00-\xff]/
  tcp-state originator
  event "orig"
}

signature aegis-entropy-tcp-resp {
  ip-proto == tcp
  payload /[\x00-\xff]/
  tcp-state responder
  event "resp"
}

signature aegis-entropy-udp-orig {
  ip-proto == udp
  payload /[\x00-\xff]/
  udp-state originator
  event "orig"
}

signature aegis-entropy-udp-resp {
  ip-proto == udp
  payload /[\x00-\xff]/
  udp-state responder
  event "resp"
}
