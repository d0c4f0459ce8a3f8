# @TEST-DOC: JA3, JA3S and JA4 of TLS 1.2 and 1.3, HASSH of ssh.
#
# @TEST-EXEC: gunzip -c $TRACES/benign_tls_part.pcap.gz | zeek -b -C -r - $PACKAGE/ja3.zeek $PACKAGE/ja4.zeek $PACKAGE/hassh.zeek
# @TEST-EXEC: zeek-cut version ja3 ja3s ja4 <ssl.log | sort | uniq -c | sed 's/^ *//' >tls
# @TEST-EXEC: btest-diff tls
# @TEST-EXEC: for t in benign_tls_part ssh_bruteforce; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/hassh.zeek && zeek-cut client server hassh hasshServer <ssh.log | sort | uniq -c | sed 's/^ *//'; done >ssh
# @TEST-EXEC: btest-diff ssh
