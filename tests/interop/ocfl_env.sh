#!/usr/bin/env bash
# Installs ocfl-py, the OCFL validator that judges our storage roots, in an environment of its own: what it needs
# does not go together with what the product needs. Prints its version. Does nothing when it is there already.
#
#   OCFL_PY_VENV   where (default: build/interop/ocfl-py)
#   PYTHON         with which Python (default: the checkout's .venv, else python3)
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
venv=${OCFL_PY_VENV:-$repository/build/interop/ocfl-py}
lock=$here/ocfl-requirements.txt

if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ -x "$repository/.venv/bin/python" ] && PYTHON=$repository/.venv/bin/python
fi

if [ ! -e "$venv/.installed" ] || [ "$lock" -nt "$venv/.installed" ]; then
  echo "interop: installing ocfl-py into $venv"
  rm -rf "$venv"
  mkdir -p "$(dirname "$venv")"
  "$PYTHON" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
  touch "$venv/.installed"
fi

echo "interop: ocfl-py $("$venv/bin/python" -c 'import importlib.metadata; print(importlib.metadata.version("ocfl-py"))')"
