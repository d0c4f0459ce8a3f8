# @TEST-DOC: Of more sources than are kept in mind, what is not kept is counted; a scanner among forged sources has its row.
#
# @TEST-EXEC: python3 %DIR/../flood.py --packets 3000 --rate 500 --scan-every 50 >flood.pcap
# @TEST-EXEC: zeek -b -C -r flood.pcap $PACKAGE/scan.zeek AegisScan::max_sources=100 && zeek-cut src attempts hosts ports capped kind <aegis_scan.log | sort >rows
# @TEST-EXEC: python3 %DIR/../flood.py --packets 12000 --rate 3000 --sources 150 --hosts 40 >flood.pcap
# @TEST-EXEC: zeek -b -C -r flood.pcap $PACKAGE/scan.zeek AegisScan::max_sources=100 && zeek-cut attempts kind <aegis_scan.log | awk '{ sum += $1; rows[$2] += 1 } END { print (sum > 11000), (rows["horizontal"] > 60), (rows["overflow"] > 0) }' >>rows
# @TEST-EXEC: btest-diff rows
