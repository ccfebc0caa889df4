# Starts a holder, and stays outside of its namespace for as long as it lives, to start a daemon when the holder rings.
#
# Run in the run's folder: `sh waker.sh hold BELL holder...`. BELL is a fifo there, or - if nobody is to be woken; the
# rest is the holder's whole command. The holder gets no environment, the run's `lock` as 9, its end of the bell as 8.
#
# Over the bell come lines: `live` when nobody attends to the agent, as in the beginning, `ring` when that goes on for a
# while, and `bye` if its end was seen. An end of a live one without that rings too. What ringing does stands in our
# environment, where no agent can see or change it: the words of WAKER_COMMAND are executed, unless the file
# WAKER_UNLESS exists, another process holds WAKER_LOCK, or the run's folder is gone: then somebody has removed all that
# there was, and wants no daemon.

if [ "$1" = hold ]; then
    bell=$2
    shift 2
    [ "$bell" != - ] || exec env -i "$@" 9<>lock
    WAKER_RUN=$PWD
    export WAKER_RUN
    exec 7<&0 6<>"$bell" 8>"$bell" 6<&-
    env -i "$@" <&7 7<&- 9<>lock &
    # Begun anew it holds nothing of the run, and cannot be mistaken for the holder in a list of processes.
    exec sh "$0" listen <"$bell" >/dev/null 2>&1 7<&- 8>&-
fi

wake() {
    [ -e "$WAKER_UNLESS" ] || [ ! -e "$WAKER_RUN" ] || eval "setsid --fork flock --nonblock --no-fork \"\$WAKER_LOCK\" $WAKER_COMMAND" </dev/null
}

cd / || exit
last=
while read -r word; do
    [ "$word" != ring ] || wake
    last=$word
done
case $last in
live | ring)
    sleep 1 # whoever stopped it may be about to say so
    wake
    ;;
esac
