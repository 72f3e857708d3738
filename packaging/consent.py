#!/usr/bin/env python3
"""Signs in at the embedded PostHog by its own pages, as a browser would: log in, leave the form as it is, authorize.

Usage: consent.py ADDRESS, where ADDRESS is the one for this device that `pockethog login --no-browser` prints.
"""

import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar


class Form(HTMLParser):
    """The fields of a page's form that a browser would send, without its buttons."""

    def __init__(self):
        super().__init__()
        self.fields = []

    def handle_starttag(self, tag, attributes):
        field = dict(attributes)
        if tag != "input" or "name" not in field:
            return
        if field.get("type") in ("radio", "checkbox") and "checked" not in field:
            return
        self.fields.append((field["name"], field.get("value", "on")))


def main(address):
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )

    def submit(page, button):
        """Sends the form of `page`, whose buttons have an action of `/login` or of the page itself."""
        form = Form()
        form.feed(page.read().decode())
        here = page.geturl()
        to = urllib.parse.urljoin(here, "/login") if urllib.parse.urlsplit(here).path.startswith("/login") else here
        body = urllib.parse.urlencode(form.fields + [button]).encode()
        return browser.open(to, body, timeout=30)

    login = browser.open(address, timeout=30)
    consent = submit(login, ("person", "1"))
    done = submit(consent, ("decision", "authorize"))
    print(f"consent.py: {done.status} at {urllib.parse.urlsplit(done.geturl()).path}")


main(sys.argv[1])
