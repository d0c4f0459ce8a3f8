##! Sizes in dns.log: of the name that was asked for, of the answers as they are logged and of the whole reply on the
##! wire. Costs one short event per message.

@load base/protocols/dns

module AegisDNS;

export {
	redef record DNS::Info += {
		## Bytes of the name that was asked for, without the escapes of the log.
		query_len: count &log &optional;
		## Answers in the reply, by its header: those that are not logged (signatures, say) are counted too.
		answer_count: count &log &optional;
		## Bytes of the answers as they are logged.
		answer_bytes: count &log &optional;
		## Bytes of the reply's whole DNS message.
		response_len: count &log &optional;
	};
}

# Base has put the message's session at priority 5 in c$dns.
event dns_message(c: connection, is_orig: bool, msg: dns_msg, len: count)
	{
	if ( ! msg$QR || ! c?$dns )
		return;

	c$dns$answer_count = msg$num_answers;
	c$dns$response_len = len;
	}

hook DNS::log_policy(rec: DNS::Info, id: Log::ID, filter: Log::Filter)
	{
	if ( rec?$query )
		rec$query_len = |rec$query|;

	if ( ! rec?$answers )
		return;

	local bytes = 0;
	for ( _, answer in rec$answers )
		bytes += |answer|;
	rec$answer_bytes = bytes;
	}
