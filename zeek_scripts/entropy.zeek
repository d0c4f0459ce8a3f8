##! How random the first payload of a connection looks, in conn.log: plain text lies at 4 to 5 bits a byte, compressed and
##! encrypted data near the most that its length allows. Opt-in: each packet up to the first with payload goes through
##! one more signature.

@load base/frameworks/signatures
@load base/protocols/conn
@load-sigs ./entropy.sig

module AegisEntropy;

export {
	## Of the first packet with payload, so many bytes are looked at. Fewer than 32 say little.
	option max_bytes: count = 1024;

	redef record Conn::Info += {
		## Shannon entropy in bits per byte (0.0 to 8.0, at most the logarithm of the bytes looked at) of the first
		## payload that the originator sent.
		orig_entropy: double &log &optional;
		## The same of the responder.
		resp_entropy: double &log &optional;
	};
}

redef record connection += {
	aegis_orig_entropy: double &optional;
	aegis_resp_entropy: double &optional;
};

# The match itself is not worth a row of signatures.log.
redef Signatures::ignored_ids += /^aegis-entropy-/;

event signature_match(state: signature_state, msg: string, data: string)
	{
	if ( /^aegis-entropy-/ !in state$sig_id || |data| == 0 )
		return;

	local entropy = find_entropy(|data| > max_bytes ? data[0:max_bytes] : data)$entropy;
	if ( state$is_orig )
		state$conn$aegis_orig_entropy = entropy;
	else
		state$conn$aegis_resp_entropy = entropy;
	}

event connection_state_remove(c: connection)
	{
	if ( c?$aegis_orig_entropy )
		c$conn$orig_entropy = c$aegis_orig_entropy;

	if ( c?$aegis_resp_entropy )
		c$conn$resp_entropy = c$aegis_resp_entropy;
	}
