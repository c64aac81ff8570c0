# What scripts/servers and scripts/cluster have in common: processes that have a folder each in $dir, where their port, who
# they are and what they say are kept. To be sourced, by a script that sets `dir` and says with `answers NAME` whether one
# that runs is ready.

readonly patience=90 # seconds that a process may take to start or to stop
ports="/tmp/firstcome-ports-$(id -u)"

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1
    fi
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Does something that no two of these scripts may do at once, whatever folders they work on.
alone() {
    mkdir -p "$ports"
    (flock 8 && "$@") 8>"$ports/lock"
}

# A port below those that the system gives to outgoing connections, on which nobody listens and which no other folder was
# given. Some time passes before a server listens on it, so whose it is is written down where every folder's script looks:
# a link to the folder. One whose folder is gone is nobody's.
free_port() { alone take_port; }

take_port() {
    local port
    for _ in {1..100}; do
        port=$((RANDOM % 12000 + 20000))
        if [ -e "$ports/$port" ] || port_answers "$port"; then continue; fi
        ln -sfn "$dir" "$ports/$port"
        echo "$port"
        return
    done
    fail "no free port"
}

# The ports of this folder are nobody's again.
forget_ports() { find "$ports" -lname "$dir" -delete 2>/dev/null || true; }

pid() { cat "$dir/$1/pid"; }

# When a process began: a process id alone may belong to somebody else by now. Nothing for one that has ended, whether or
# not its parent has taken note of it; while one of its threads is on its way out it has files and ports, and has not ended.
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" || $18 > 1 { print $20 }'; }

runs() { [ -s "$dir/$1/pid" ] && [ -s "$dir/$1/born" ] && [ "$(born "$(pid "$1")")" = "$(cat "$dir/$1/born")" ]; }

# Starts `command` as the process of that name. It keeps none of this script's open files. The process itself writes down
# who it is before it becomes the program: whoever stops this script, `down` finds it.
spawn() {
    local name="$1" process
    shift
    rm -f "$dir/$name/pid" "$dir/$name/born"
    (
        cd "$dir/$name"
        echo "$BASHPID" >pid
        born "$BASHPID" >born
        exec setsid "$@"
    ) >>"$dir/$name/log" 2>&1 </dev/null 9>&- &
    process=$!
    while [ ! -s "$dir/$name/born" ] && kill -0 "$process" 2>/dev/null; do sleep 0.01; done
    # It is on its own from now on.
    disown "$process" 2>/dev/null || true
}

# Waits until a process that was started is ready.
await() {
    local name="$1" end=$((SECONDS + patience))
    until answers "$name" && runs "$name"; do
        if ! runs "$name"; then
            tail -n 20 "$dir/$name/log" >&2
            fail "$name ended; its log is $dir/$name/log"
        fi
        [ "$SECONDS" -lt "$end" ] || fail "$name is not ready; its log is $dir/$name/log"
        sleep 0.1
    done
}

# Ends a process with a signal and waits until it has ended. Some systems take seconds to take note of that.
end() {
    local name="$1" signal="$2" process end=$((SECONDS + patience))
    if runs "$name"; then
        process="$(pid "$name")"
        kill "-$signal" "$process" 2>/dev/null || as_root kill "-$signal" "$process" || true
        while runs "$name"; do
            [ "$SECONDS" -lt "$end" ] || fail "$name (process $process) does not end"
            sleep 0.05
        done
    fi
    rm -f "$dir/$name/pid" "$dir/$name/born"
}

# Only one of these scripts at a time works on a folder. `down` takes the lock away: who waited for it locks the next one.
lock() {
    while
        mkdir -p "$dir"
        exec 9>"$dir/lock"
        flock 9
        ! [ "$dir/lock" -ef /dev/fd/9 ]
    do :; done
}
