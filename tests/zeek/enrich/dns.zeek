# @TEST-DOC: Lengths of names and of answers. A tunnel's names have bytes outside ASCII: they are counted, not their escapes.
#
# @TEST-EXEC: for t in dns_tunnel dga beacon_http; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/dns.zeek && echo "== $t" && zeek-cut qtype_name query_len answer_count answer_bytes response_len <dns.log | sort | uniq -c | sed 's/^ *//'; done >sizes
# @TEST-EXEC: btest-diff sizes
# @TEST-EXEC: gunzip -c $TRACES/dga_nxdomain.pcap.gz | zeek -C -r - policy/protocols/dns/auth-addl $PACKAGE/dns.zeek
# @TEST-EXEC: zeek-cut rcode_name answer_count auth addl <dns.log | sort | uniq -c | sed 's/^ *//' >more
# @TEST-EXEC: btest-diff more
