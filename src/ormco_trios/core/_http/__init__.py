"""How requests are sent: the only part of the library proper that knows httpx.

Requests go to httpx's transports directly: everything `httpx.Client` would add (cookies,
redirects, its log line with the whole URL) is unwanted here.  A client the caller injects is used
as it is, so that its proxies, certificates and mocks count.
"""

from ormco_trios.core.log import silence

silence(
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
