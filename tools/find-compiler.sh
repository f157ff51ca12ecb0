#!/bin/sh
# Says whether a C compiler is here, and how to get one: the tests' AMQP library is built with it.
if ${CC:-cc} --version >/dev/null 2>&1; then
    exit 0
fi
echo "\`make test\` builds the AMQP library of its broker, and here is no C compiler (${CC:-cc})." >&2
echo "Install it:  Debian, Ubuntu: sudo apt install build-essential python3-dev" >&2
echo "             Fedora: sudo dnf install gcc gcc-c++ python3-devel" >&2
echo "             macOS: xcode-select --install" >&2
exit 1
