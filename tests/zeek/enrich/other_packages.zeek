# @TEST-DOC: Another package writes ja3 and hassh, too: in both orders of loading there is one column of the name, that package's, and our others stay.
#
# @TEST-EXEC: gunzip -c $TRACES/benign_tls_part.pcap.gz >capture
# @TEST-EXEC: zeek -C -r capture $PACKAGE %INPUT && grep -h '^#fields' ssl.log ssh.log | tr '\t' '\n' | grep -E 'ja3|ja4|hassh' >ours_first && zeek-cut ja3 <ssl.log | sort -u >>ours_first
# @TEST-EXEC: zeek -C -r capture %INPUT $PACKAGE && grep -h '^#fields' ssl.log ssh.log | tr '\t' '\n' | grep -E 'ja3|ja4|hassh' >ours_last && zeek-cut ja3 <ssl.log | sort -u >>ours_last
# @TEST-EXEC: btest-diff ours_first
# @TEST-EXEC: btest-diff ours_last

@load base/protocols/ssh
@load base/protocols/ssl

redef record SSL::Info += {
	ja3: string &log &default="theirs";
};

redef record SSH::Info += {
	hassh: string &log &default="theirs";
};
