# @TEST-DOC: The first packets of a connection, IPv4 and IPv6, with their sizes and directions.
#
# @TEST-EXEC: for t in beacon_http beacon_http_v6; do gunzip -c $TRACES/$t.pcap.gz | zeek -C -r - $PACKAGE/packet_stats.zeek && echo "== $t" && zeek-cut id.resp_p proto service sizes <aegis_packets.log | sort | uniq -c | sort -k2 | sed 's/^ *//'; done >rows
# @TEST-EXEC: btest-diff rows
