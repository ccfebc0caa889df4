#!/bin/sh
# Prepares a checkout: looks for what the machine must have, and keeps .venv equal to requirements/dev.txt.
#
#   scripts/setup.sh            what linting and editing need
#   scripts/setup.sh sandbox    and a bubblewrap that works: what the tests and the demonstration need
#
# It may be run at any time, by several at once, and be interrupted anywhere: .venv counts only with the stamp that is
# written last. Nothing outside the checkout changes, but that root on Debian gets the missing packages installed.
# PYTHON names the interpreter. Caller's PIP_* settings and the machine's pip configuration are honoured.
set -eu
unset PYTHONHOME PYTHONPATH
cd "$(dirname "$0")/.."

STAMP=.venv/bandstand-lock
PACKAGE_STAMP=.venv/bandstand-package
OLDEST_PYTHON="3, 11"
OLDEST_GIT_MINOR=38

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# --- what the machine must have ------------------------------------------------------------------------------------

missing=""  # Debian's names of what is not here
reasons=""  # one sentence each

need() { # PACKAGE SENTENCE
    missing="$missing $1"
    reasons="$reasons
  - $2"
}

runs_new_python() { "$1" -c "import sys; sys.exit(sys.version_info < ($OLDEST_PYTHON))" 2>/dev/null; }

# The interpreter below any virtual environment, for the one that is active may be the .venv that is about to go.
base_of() { "$1" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if runs_new_python "$candidate"; then
            base_of "$candidate"
            return
        fi
    done
}

check_python() {
    python=$(find_python)
    if [ -z "$python" ]; then
        need "python3 python3-venv" "python3 3.11 or newer (PYTHON=/path/to/one names another): found $(
            ${PYTHON:-python3} --version 2>/dev/null || echo none
        )."
    elif ! uv_serves && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        need python3-venv "python3-venv: $python cannot make virtual environments."
    fi
}

check_git() {
    if ! version=$(git --version 2>/dev/null); then
        need git "git 2.$OLDEST_GIT_MINOR or newer: found none."
        return
    fi
    version=${version#git version }
    major=${version%%.*}
    rest=${version#*.}
    minor=${rest%%.*}
    if [ "$major" -lt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -lt "$OLDEST_GIT_MINOR" ]; }; then
        need git "git 2.$OLDEST_GIT_MINOR or newer: found $version."
    fi
}

check_bubblewrap() {
    command -v bwrap >/dev/null 2>&1 || need bubblewrap "bubblewrap: the sandbox of every run and check."
}

how_to_install() {
    for tool in apt-get dnf zypper pacman; do
        command -v "$tool" >/dev/null 2>&1 || continue
        case $tool in
            pacman) say "sudo pacman -S --needed$1" ;;
            apt-get) say "sudo apt-get install -y$1" ;;
            *) say "sudo $tool install -y$(say "$1" | sed 's/ python3-venv//')" ;;
        esac
        return
    done
    say "(this system's package manager) install$1"
}

install_missing() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    say "Installing with apt-get:$missing."
    # shellcheck disable=SC2086  # a list of words
    set -- env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
    "$@" >/dev/null 2>&1 || { apt-get update -qq >/dev/null && "$@" >/dev/null; }
}

check_all() {
    missing="" reasons=""
    ready || check_python
    check_git
    [ "$(uname -s)" != Linux ] || check_bubblewrap
}

# Only bubblewrap is missing, and this was not called for something that opens a sandbox.
can_wait() { [ "$missing" = " bubblewrap" ] && [ "$purpose" != sandbox ]; }

check_machine() {
    check_all
    [ -n "$missing" ] || return 0
    if install_missing; then
        check_all
        [ -n "$missing" ] || return 0
    fi
    complain "This machine lacks:$reasons"
    complain "To install: $(how_to_install "$missing")"
    if can_wait; then
        complain "Linting and editing work without; \`make test\` and \`make demo\` do not."
    else
        exit 1
    fi
}

# A bubblewrap that the kernel or a container forbids is as good as none, and better found out here than by a test.
check_sandbox() {
    if [ "$(uname -s)" != Linux ]; then
        complain "The sandbox (bubblewrap) needs Linux. Here \`make lint\` works; run this in a Linux virtual machine."
        exit 1
    fi
    if ! said=$(bwrap --ro-bind / / --unshare-user --unshare-pid --proc /proc --dev /dev true 2>&1); then
        complain "bubblewrap is installed but cannot open a sandbox here. It says:"
        complain "  $said"
        complain "Unprivileged user namespaces must be allowed: see \`sysctl kernel.unprivileged_userns_clone" \
            "kernel.apparmor_restrict_unprivileged_userns\`; a container needs a security profile that permits them."
        exit 1
    fi
}

# --- the virtual environment ---------------------------------------------------------------------------------------

# The path is part of it: the scripts in a virtual environment name their interpreter, so a moved checkout needs a new one.
lock_stamp() { { pwd && cat requirements/dev.txt; } | git hash-object --stdin; }
package_stamp() { cat pyproject.toml src/bandstand/__init__.py | git hash-object --stdin; }

stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$($2 2>/dev/null)" ]; }

right_python() {
    .venv/bin/python -c pass 2>/dev/null || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" --version 2>&1)" = "$(.venv/bin/python --version 2>&1)" ]
}

ready() { stamped $STAMP lock_stamp && right_python; }

# uv is faster and knows nothing of pip's settings, so it is used only where there are none.
pip_is_configured() {
    env | grep -q '^PIP_' && return 0
    for file in /etc/pip.conf /etc/xdg/pip/pip.conf "$HOME/.pip/pip.conf" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf"; do
        [ ! -f "$file" ] || return 0
    done
    return 1
}

uv_serves() { command -v uv >/dev/null 2>&1 && ! pip_is_configured; }

fill_with_uv() {
    uv_serves || return 1
    uv venv --quiet --clear --python "$python" .venv &&
        uv pip install --quiet --python .venv/bin/python --require-hashes --no-deps -r requirements/dev.txt
}

# The locked pip first: an old one takes twice as long for the rest.
fill_with_pip() {
    rm -rf .venv
    "$python" -m venv .venv &&
        awk '/^pip==/ { found = 1 } found { print } found && !/\\$/ { exit }' requirements/dev.txt >.venv/pip.txt &&
        pip_install --require-hashes -r .venv/pip.txt &&
        pip_install --require-hashes -r requirements/dev.txt
}

# Quiet when it works; when it does not, all that was said counts.
pip_install() {
    said=$(.venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps "$@" 2>&1) && return
    complain "$said"
    return 1
}

install_package() { pip_install --no-build-isolation --editable .; }

one_at_a_time() {
    exec 9>.venv.lock
    "$python" - <<'PYTHON'
import fcntl

try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Waiting for another setup of this checkout.", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
PYTHON
}

give_up() {
    complain "The packages could not be installed; the reason stands above. They come from the package index that pip" \
        "is configured for (PIP_INDEX_URL names another one). Then run the same command again."
    exit 1
}

make_environment() {
    began=$(date +%s)
    say "Making .venv with $("$python" --version), $python."
    fill_with_uv || fill_with_pip || give_up
    install_package || give_up
    package_stamp >$PACKAGE_STAMP
    lock_stamp >$STAMP
    say "Made .venv in $(($(date +%s) - began)) s."
}

bring_up_to_date() {
    [ -n "${python:-}" ] || check_python
    one_at_a_time
    ready || make_environment
    if ! stamped $PACKAGE_STAMP package_stamp; then
        install_package || give_up
        package_stamp >$PACKAGE_STAMP
    fi
}

purpose=${1:-}
check_machine
[ "$purpose" != sandbox ] || check_sandbox
{ ready && stamped $PACKAGE_STAMP package_stamp; } || bring_up_to_date
