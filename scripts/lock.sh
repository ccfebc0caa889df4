#!/bin/sh
# Writes requirements/run.txt and requirements/dev.txt from pyproject.toml: every version with its hashes, for every
# platform at once, and no address to download from, so that each machine uses the index it is configured for.
# A release younger than a week is not taken: bad ones are mostly found out within days.
set -eu
cd "$(dirname "$0")/.."

if ! command -v uv >/dev/null 2>&1; then
    echo "Writing the lock files needs uv. Install it with: python3 -m pip install uv" >&2
    exit 1
fi

compile() {
    uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --exclude-newer "1 week" --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" "$@" >/dev/null
}

compile --output-file requirements/run.txt "$@"
compile --output-file requirements/dev.txt --group dev --constraints requirements/run.txt "$@"
echo "requirements/run.txt and requirements/dev.txt are written. Run \`make test\`, then commit both."
