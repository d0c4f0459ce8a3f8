##! In ssl.log, what the server's certificate says: x509.log tells it once a day per certificate, and its rows do not say
##! which connections they belong to. Costs nothing per packet; Zeek has parsed the certificate anyway.

@load base/protocols/ssl

module AegisCertificate;

# Fields of base's that it leaves out by default.
redef SSL::log_include_server_certificate_subject_issuer = T;

export {
	## Of the names that a certificate is for, so many are logged.
	option max_names: count = 10;

	redef record SSL::Info += {
		## From when on, and until when, the certificate is valid.
		not_valid_before: time &log &optional;
		not_valid_after: time &log &optional;
		## Its serial number in hex.
		cert_serial: string &log &optional;
		## Its key, such as rsa, and the key's length in bits.
		cert_key_type: string &log &optional;
		cert_key_length: count &log &optional;
		## How it was signed, such as sha256WithRSAEncryption.
		cert_sig_alg: string &log &optional;
		## The names of hosts that it is for.
		cert_names: vector of string &log &optional;
		## Whether subject and issuer are the same.
		self_signed: bool &log &optional;
	};
}

function describe(s: SSL::Info, x: X509::Info)
	{
	local cert = x$certificate;
	s$not_valid_before = cert$not_valid_before;
	s$not_valid_after = cert$not_valid_after;
	s$cert_serial = cert$serial;
	s$cert_sig_alg = cert$sig_alg;
	s$self_signed = cert$subject == cert$issuer;

	if ( cert?$key_type )
		s$cert_key_type = cert$key_type;

	if ( cert?$key_length )
		s$cert_key_length = cert$key_length;

	if ( x?$san && x$san?$dns )
		s$cert_names = |x$san$dns| > max_names ? x$san$dns[0:max_names] : x$san$dns;
	}

# After base has put subject and issuer at priority 20.
hook SSL::ssl_finishing(c: connection) &priority=10
	{
	if ( c$ssl?$cert_chain && |c$ssl$cert_chain| > 0 && c$ssl$cert_chain[0]?$x509 )
		describe(c$ssl, c$ssl$cert_chain[0]$x509);
	}
