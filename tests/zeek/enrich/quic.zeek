# @TEST-DOC: Fingerprints also go to quic.log, those of a second hello too. A stand-in for Zeek's QUIC analyzer, which not every Zeek has: it raises TLS's events.
#
# @TEST-EXEC: gunzip -c $TRACES/beacon_https.pcap.gz | zeek -b -C -r - %INPUT $PACKAGE/ja3.zeek $PACKAGE/ja4.zeek said.zeek >rows
# @TEST-EXEC: sort -u rows >quic
# @TEST-EXEC: btest-diff quic

module QUIC;

export {
	type Info: record {
		version: string;
	};
}

redef record connection += {
	quic: Info &optional;
};

event new_connection(c: connection)
	{
	c$quic = Info($version="1");
	}

@TEST-START-FILE said.zeek
event connection_state_remove(c: connection)
	{
	print c$quic$aegis_ja3, c$quic$aegis_ja3s, c$quic$aegis_ja4;
	}
@TEST-END-FILE
