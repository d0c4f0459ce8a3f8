"""An HTTP proxy between a urllib3 pool and its server: HTTPS by CONNECT, so that TLS reaches from end to end."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import ProxyConfig
from urllib3.util.url import parse_url


class _Forwarding(urllib3.HTTPConnectionPool):
    """Connections to a proxy that fetches whole URLs."""

    def is_same_host(self, url: str) -> bool:
        return True  # the proxy goes there


def through(pool: urllib3.HTTPConnectionPool, proxy: str) -> urllib3.HTTPConnectionPool:
    """The pool that sends by `proxy` (http://[user:password@]host:port) what `pool` would send.

    Plain HTTP needs absolute URLs then.
    """
    parts = urlsplit(proxy)
    if pool.scheme == "http":
        most = pool.pool.maxsize if pool.pool else 1
        pool = _Forwarding(str(parts.hostname), parts.port or 80, timeout=pool.timeout, maxsize=most, block=True)
    pool.proxy = parse_url(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    pool.proxy_config = ProxyConfig(None, False, None, None)
    pool.proxy_headers = {}
    if parts.username:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        pool.proxy_headers = urllib3.make_headers(proxy_basic_auth=known)
    pool.conn_kw |= {"socket_options": [], "proxy": pool.proxy, "proxy_config": pool.proxy_config}
    return pool
