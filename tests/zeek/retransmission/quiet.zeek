# @TEST-DOC: No row without loss, nor for keep-alives and probes of a closed window.
#
# @TEST-EXEC: for t in loss_0 loss_0_v6 keepalive keepalive_byte; do gunzip -c $TRACES/$t.pcap.gz | zeek -b -C -r - $PACKAGE/retransmission.zeek; done
# @TEST-EXEC: test ! -e aegis_retransmission.log
