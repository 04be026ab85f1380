#!/bin/sh
# Make sure that browsers are there for the tests. Chromium: the installed one or Chrome, else Debian's, else
# Playwright's. Firefox: the installed one, else Debian's; without one its tests are skipped, and say so.
set -eu

installed() { # any of these programs
    for name in "$@"; do
        if command -v "$name" >/dev/null; then return 0; fi
    done
    return 1
}

from_debian() { # a package, which only root can install
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends "$1"
}

installed chromium chromium-browser google-chrome google-chrome-stable || from_debian chromium ||
    "$PYTHON" -m playwright install chromium
installed firefox-esr firefox || from_debian firefox-esr ||
    echo "no Firefox here and none could be installed: its tests will be skipped" >&2
