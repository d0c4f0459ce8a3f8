# @TEST-DOC: No row for what is no scan: floods of a port, from one source and from forged ones; an hour of ordinary use; names that do not exist; a probe a minute.
#
# @TEST-EXEC: for t in syn_flood syn_flood_drop syn_flood_spoofed benign_hour benign_tls dga_nxdomain beacon_http scan_slow_1min; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/scan.zeek; done
# @TEST-EXEC: test ! -e aegis_scan.log
