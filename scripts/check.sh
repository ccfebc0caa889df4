#!/bin/sh
# Runs groups of steps (lint, tests, tests-fast, tests-chaos), every step even after a failure, and ends with the worst exit code.
# Words after the groups go to pytest.
set -u
unset PYTHONHOME PYTHONPATH
cd "$(dirname "$0")/.." || exit 1
PATH="$PWD/.venv/bin:$PATH"
export PATH

worst=0
table=""
failed=""

step() { # NAME COMMAND...
    name=$1
    shift
    printf '\n== %s\n' "$name"
    began=$(date +%s)
    "$@"
    code=$?
    word=ok
    if [ $code -ne 0 ]; then
        word=FAILED
        failed="$failed${failed:+, }$name"
        [ $code -le $worst ] || worst=$code
    fi
    table="$table$(printf '%-7s %-18s %3s s' "$word" "$name" "$(($(date +%s) - began))")
"
}

lint() {
    step "ruff check" ruff check .
    step "ruff format" ruff format --check --output-format concise .
    step "mypy" mypy
    step "floor plan" lint-imports --no-logo
}

# In random order; snapshots are compared and never written here.
tests() { step "tests" pytest --numprocesses=auto --inline-snapshot=disable "$@"; }

groups=""
while [ $# -gt 0 ]; do
    case $1 in
        lint | tests | tests-fast | tests-chaos) groups="$groups $1" ;;
        *) break ;;
    esac
    shift
done

for group in $groups; do
    case $group in
        lint) lint ;;
        tests) tests "$@" ;;
        tests-fast) tests --ignore=tests/e2e --ignore=tests/agents --ignore=tests/chaos/test_chaos.py \
            --ignore=tests/chaos/test_main_job.py --ignore=tests/chaos/test_verbs.py "$@" ;;
        tests-chaos) tests tests/chaos/every_*.py "$@" ;;
    esac
done

printf '\n%s' "$table"
if [ $worst -eq 0 ]; then
    echo "All green."
else
    echo "Not green: $failed. What is wrong stands above, under the heading of each."
fi
exit $worst
