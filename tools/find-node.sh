#!/bin/sh
# Says what is missing to run Azurite, and how to get it; silent where Node.js and npm will do.
remedy() {
    echo "Install it:  sudo apt install nodejs npm   (macOS: brew install node)" >&2
    exit 1
}
if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then
    found=$(node --version 2>/dev/null || echo "no node")
    echo "the tests play Azure Storage by Azurite, which needs Node.js 18 or newer; here is: $found." >&2
    remedy
fi
if ! npm --version >/dev/null 2>&1; then
    echo "Node.js $(node --version) is here, but its package manager npm is not." >&2
    remedy
fi
