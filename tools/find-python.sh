#!/bin/sh
# Prints the first Python that will do (3.11 or newer, with venv), or says what is missing and how
# to get it.
for candidate in python3 python3.13 python3.12 python3.11 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            command -v "$candidate"
            exit 0
        fi
        without_venv=$candidate
    fi
done
if [ -n "${without_venv:-}" ]; then
    version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Python $version is here, but its venv module is not." >&2
    echo "Install it:  sudo apt install python$version-venv" >&2
else
    found=$(python3 --version 2>&1 || echo "no python3")
    echo "rollout needs Python 3.11 or newer; here is: $found." >&2
    echo "Install it:  sudo apt install python3.11 python3.11-venv   (macOS: brew install python@3.13)" >&2
fi
exit 1
