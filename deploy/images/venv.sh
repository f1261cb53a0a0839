#!/bin/sh
# Makes /app/venv of locked requirements, without what is only tested, debugged or built: `venv.sh GROUP...`.
set -eu
# pip looks for attrs, and what it imports it would compile: with the time of this build in it.
export PYTHONDONTWRITEBYTECODE=1

python3 -m venv --without-pip /app/venv
for group; do
  python3 -m pip --python /app/venv/bin/python install --quiet --no-cache-dir --no-compile --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement "/build/requirements/$group.txt"
done
python3 -m pip --python /app/venv/bin/python check
find /app/venv -depth -type d \( -name tests -o -name test -o -name SelfTest \) -exec rm -r {} +
# The symbols of a few extension modules weigh four times their code. What wheels bundle beside them is left alone.
find /app/venv -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
