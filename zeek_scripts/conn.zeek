##! What conn.log lacks: the community id and the round trips of the TCP handshake, as the sensor saw them. Costs two
##! short events per TCP connection that is answered, none per packet.

@load base/protocols/conn
@load policy/protocols/conn/community-id-logging

module AegisConn;

export {
	redef record Conn::Info += {
		## From the responder's SYN-ACK to the originator's ACK: the round trip from the sensor to the originator. Unset
		## where the SYN-ACK was sent more than once.
		orig_rtt: interval &log &optional;
		## From the originator's SYN to the responder's SYN-ACK: the round trip from the sensor to the responder. Unset
		## where the SYN was sent more than once, since its answer may be to any of them.
		resp_rtt: interval &log &optional;
	};
}

# On the connection, for c$conn is not there before the connection's end in Zeek 7.
redef record connection += {
	aegis_syn_ack: time &optional;
	aegis_orig_rtt: interval &optional;
	aegis_resp_rtt: interval &optional;
};

function sent_once(e: endpoint): bool
	{
	return e?$num_pkts && e$num_pkts == 1;
	}

# The first SYN-ACK, where a SYN was seen before it. Its packet is not counted yet.
event connection_established(c: connection)
	{
	c$aegis_syn_ack = network_time();

	if ( sent_once(c$orig) )
		c$aegis_resp_rtt = c$aegis_syn_ack - c$start_time;
	}

event connection_first_ACK(c: connection)
	{
	if ( c?$aegis_syn_ack && sent_once(c$resp) )
		c$aegis_orig_rtt = network_time() - c$aegis_syn_ack;
	}

event connection_state_remove(c: connection)
	{
	if ( c?$aegis_orig_rtt )
		c$conn$orig_rtt = c$aegis_orig_rtt;

	if ( c?$aegis_resp_rtt )
		c$conn$resp_rtt = c$aegis_resp_rtt;
	}
