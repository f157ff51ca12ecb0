#!/bin/sh
# Prints the Python that plays Azure's: a 3.13 wherever this machine keeps one, else what
# find-python.sh finds. Which of the two it is stands on stderr.
will_do() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null
}

for candidate in \
    "$(command -v python3.13)" \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
    "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/cpython-3.13*/bin/python3.13 \
    "${ASDF_DATA_DIR:-$HOME/.asdf}"/installs/python/3.13*/bin/python3.13 \
    "${XDG_DATA_HOME:-$HOME/.local/share}"/mise/installs/python/3.13*/bin/python3.13 \
    /opt/homebrew/opt/python@3.13/bin/python3.13 \
    /usr/local/opt/python@3.13/bin/python3.13; do
    if [ -x "$candidate" ] && will_do "$candidate"; then
        echo "The functions run on Python 3.13, as on Azure: $candidate" >&2
        echo "$candidate"
        exit 0
    fi
done

other=$(sh "$(dirname "$0")/find-python.sh") || exit 1
echo "No Python 3.13 is here, which Azure runs; the functions run on $other instead." >&2
echo "$other"
