#!/usr/bin/env bash
# End what start_slurm.sh FOLDER started, by process id: jobs first, then daemons, newest first.
set -uo pipefail

root=$(realpath -m "${1:?usage: stop_slurm.sh FOLDER}")
list=$root/run/started.list
[[ -s $list ]] || exit 0

start_time() {
    sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | awk '$1 != "Z" { print $20 }'
}

gone() { # process id, start time, tenths of a second
    for ((try = 0; try < $3; try++)); do
        [[ $(start_time "$1") == "$2" ]] || return 0
        sleep 0.1
    done
    return 1
}

source "$root/env.sh"
if jobs=$(timeout 5 squeue --noheader --format=%A) && [[ -n $jobs ]]; then
    timeout 10 scancel $jobs
    for ((try = 0; try < 100; try++)); do
        [[ -n $(timeout 5 squeue --noheader --format=%A) ]] || break
        sleep 0.1
    done
fi

left=0
while read -r pid start name; do
    gone "$pid" "$start" 1 && continue
    kill "$pid"
    gone "$pid" "$start" 200 || kill -9 "$pid"
    gone "$pid" "$start" 30 || {
        echo "stop_slurm: $name (process $pid) does not end" >&2
        left=1
    }
done < <(tac "$list")
((left)) || rm "$list"
exit "$left"
