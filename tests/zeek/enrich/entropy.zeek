# @TEST-DOC: How random the first payloads look: text of HTTP, hellos of TLS, names of a tunnel. No row of signatures.log.
#
# @TEST-EXEC: for t in beacon_http beacon_https dns_tunnel; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/entropy.zeek && echo "== $t" && zeek-cut proto orig_entropy resp_entropy <conn.log | awk '{ printf "%s %.1f %.1f\n", $1, $2, $3 }' | sort | uniq -c | sed 's/^ *//'; done >bits
# @TEST-EXEC: btest-diff bits
# @TEST-EXEC: test ! -e signatures.log
