# @TEST-DOC: Both bounds and the protocols are options; gaps are one fewer than sizes.
#
# @TEST-EXEC: gunzip -c $TRACES/beacon_http.pcap.gz >beacon_http.pcap
# @TEST-EXEC: zeek -b -C -r beacon_http.pcap $PACKAGE/packet_stats.zeek AegisPackets::max_packets=5 && zeek-cut proto sizes <aegis_packets.log | sort | uniq -c | sed 's/^ *//' >first_five
# @TEST-EXEC: zeek-cut gaps <aegis_packets.log | tr -cd ',\n' | sort | uniq -c | sed 's/^ *//' >commas
# @TEST-EXEC: zeek -b -C -r beacon_http.pcap $PACKAGE/packet_stats.zeek %INPUT && zeek-cut proto sizes <aegis_packets.log | cut -c1-9 | sort | uniq -c | sed 's/^ *//' >lookups
# @TEST-EXEC: btest-diff first_five
# @TEST-EXEC: btest-diff commas
# @TEST-EXEC: btest-diff lookups

redef AegisPackets::protocols = { udp };
redef AegisPackets::min_packets = 2;
