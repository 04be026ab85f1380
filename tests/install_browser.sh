#!/bin/sh
# Make sure that a browser is there for the tests: Chromium or Chrome if installed, else Debian's, else Playwright's.
set -eu
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends chromium; then
    exit 0
fi
"$PYTHON" -m playwright install chromium
