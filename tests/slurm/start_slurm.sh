#!/usr/bin/env bash
# Start a real SLURM cluster on this one machine, from Debian's packages: two nodes, each with CPUs and
# one make-believe GPU, in the partitions cpu (the default), gpu and transfer. Needs root, not systemd.
#
#   start_slurm.sh FOLDER     then: source FOLDER/env.sh ... stop_slurm.sh FOLDER
#
# Everything it writes is below FOLDER, never in /etc/slurm. SLURM_LAB_PORT (26800) is the first of its ports;
# SLURM_LAB_INSTALL=1 installs missing packages.
set -euo pipefail

root=$(realpath -m "${1:?usage: start_slurm.sh FOLDER}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=${SLURM_LAB_PORT:-26800}
host=$(hostname -s)
etc=$root/etc run=$root/run log=$root/log
socket=$run/munge/munge.socket
nodes=(node1 node2)

die() {
    echo "start_slurm: $*" >&2
    exit 1
}

wait_for() { # seconds, command ...
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        ((SECONDS < end)) || return 1
        sleep 0.1
    done
}

start_time() { # of a process, so that a reused process id is not taken for it
    sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | awk '$1 != "Z" { print $20 }'
}

started() { # name, file with its process id
    wait_for 15 test -s "$2" || die "$1 wrote no $2 (see $log)"
    local pid
    pid=$(tr -dc 0-9 < "$2")
    [[ -n $(start_time "$pid") ]] || die "$1 ended at once (see $log)"
    echo "$pid $(start_time "$pid") $1" >> "$run/started.list"
}

[[ $(id -u) == 0 ]] || die "only root can start SLURM's daemons"
[[ ! -s $run/started.list ]] || die "$root is in use; run stop_slurm.sh $root first"

packages=()
for pair in slurmctld:slurmctld slurmd:slurmd sbatch:slurm-client munged:munge; do
    command -v "${pair%%:*}" > /dev/null || packages+=("${pair##*:}")
done
if ((${#packages[@]})); then
    [[ ${SLURM_LAB_INSTALL:-} == 1 ]] || die "not installed: ${packages[*]}"
    # RUNLEVEL=1 keeps the packages from starting services.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get -qq -o DPkg::Lock::Timeout=600 update > /dev/null || die "apt-get update failed"
    apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "${packages[@]}" \
        > /dev/null || die "apt-get could not install ${packages[*]}"
    hash -r
fi

mkdir -p "$etc" "$run/munge" "$log" "$root"/{state,munge,bin} "${nodes[@]/#/$root/spool/}"
chmod 755 "$root" "$run" "$run/munge"
chmod 700 "$root/munge"
(
    umask 077
    head -c 128 /dev/urandom > "$root/munge/munge.key"
)

# config_overrides: the CPUs and memory below count, not the machine's.
# MinJobAge: squeue shows finished jobs as long as the test may run.
cat > "$etc/slurm.conf" << CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$((port + 17))
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool/%n
SlurmctldPidFile=$run/slurmctld.pid
SlurmdPidFile=$run/slurmd.%n.pid
SlurmctldLogFile=$log/slurmctld.log
SlurmdLogFile=$log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=0,bf_interval=2
ReturnToService=0
KillWait=2
MinJobAge=3600
NodeName=node1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 21)) CPUs=16 RealMemory=64000 Gres=gpu:fake:1
NodeName=node2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 22)) CPUs=16 RealMemory=64000 Gres=gpu:fake:1
PartitionName=cpu Nodes=node1,node2 Default=YES MaxTime=24:00:00 State=UP
PartitionName=gpu Nodes=node1,node2 MaxTime=24:00:00 State=UP
PartitionName=transfer Nodes=node1 MaxTime=24:00:00 State=UP
CONF
# A GPU without a device file is dropped, and its node with it; any character device will do.
cat > "$etc/gres.conf" << CONF
AutoDetect=off
NodeName=node1 Name=gpu Type=fake File=/dev/null
NodeName=node2 Name=gpu Type=fake File=/dev/zero
CONF
# Looking for the control groups' version ends slurmd where none are mounted.
echo 'CgroupPlugin=cgroup/v1' > "$etc/cgroup.conf"

# Snakemake's job steps drop SLURM_CONF before they call srun.
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$etc/slurm.conf" "$(command -v srun)" > "$root/bin/srun"
chmod 755 "$root/bin/srun"
printf 'export SLURM_CONF=%s\nexport PATH=%s:$PATH\n' "$etc/slurm.conf" "$root/bin" > "$root/env.sh"
export SLURM_CONF=$etc/slurm.conf

trap 'status=$?; ((status == 0)) || "$here/stop_slurm.sh" "$root" >&2' EXIT
munged --key-file="$root/munge/munge.key" --socket="$socket" --pid-file="$run/munge/munged.pid" \
    --seed-file="$root/munge/munged.seed" --log-file="$log/munged.log"
started munged "$run/munge/munged.pid"
slurmctld -f "$SLURM_CONF" || die "slurmctld: $(tail -n 3 "$log/slurmctld.log")"
started slurmctld "$run/slurmctld.pid"
for node in "${nodes[@]}"; do
    slurmd -N "$node" -f "$SLURM_CONF" || die "slurmd $node: $(tail -n 3 "$log/slurmd.$node.log")"
    started "slurmd $node" "$run/slurmd.$node.pid"
done

all_idle() {
    [[ $(timeout 5 sinfo --noheader --Node --format='%N %T' | sort -u | grep -c ' idle$') == "${#nodes[@]}" ]]
}
wait_for 60 all_idle || die "nodes are not idle: $(timeout 5 sinfo --Node --format='%N %P %T %E')"
sinfo --Node --format='%N %P %T %c %m %G'
