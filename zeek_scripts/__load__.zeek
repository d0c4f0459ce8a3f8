##! What the package loads unless told otherwise. packet_stats and entropy are opt-in, for their price.

@load ./certificate
@load ./conn
@load ./dns
@load ./hassh
@load ./ja3
@load ./ja4
@load ./retransmission
@load ./rules_support
@load ./scan
