##! What Zeek loads to read a capture, beside the package's own scripts: those of the stock local.zeek that write what
##! AegisEnrich reads. Not validate-certs, whose notices name each certificate of a CA of the site's own.

@load policy/frameworks/files/hash-all-files
@load policy/misc/capture-loss
@load policy/protocols/ftp/detect
@load policy/protocols/ftp/software
@load policy/protocols/http/software
@load policy/protocols/smtp/software
@load policy/protocols/ssh/detect-bruteforcing
@load policy/protocols/ssh/software

event zeek_init()
	{
	Log::disable_stream(PacketFilter::LOG);
	}
