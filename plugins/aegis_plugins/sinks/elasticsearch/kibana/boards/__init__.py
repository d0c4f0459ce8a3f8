"""Every board, in the order of their links, and every saved search."""

from . import alerts, attack, beacons, dns, host, incidents, network, overview, sensors, tls

BOARDS = tuple(m.BOARD for m in (overview, incidents, alerts, attack, host, beacons, dns, tls, network, sensors))
SEARCHES = tuple(m.SEARCH for m in (alerts, incidents, beacons, host, dns, tls, network))
