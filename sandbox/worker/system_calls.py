"""Numbers of the system calls that a worker is refused, for x86-64 and arm64.

From Linux's own tables: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping

MACHINES = ("x86_64", "aarch64")
"""Processors whose numbers are listed, as `platform.machine` names them; column by column below."""

Table = Mapping[str, tuple[int | None, ...]]
"""From a call's name to its number on each of `MACHINES`, None where there is no such call."""


def number(numbers: tuple[int | None, ...]) -> int | None:
    """Return a call's number on this machine, None where it has none.

    Raises:
        OSError: The processor is not one of `MACHINES`.
    """
    machine = platform.machine()
    if machine not in MACHINES:
        raise OSError(f"the system calls of {machine} are not known here: expected {' or '.join(MACHINES)}")
    return numbers[MACHINES.index(machine)]


def _table(text: str) -> Table:
    table: dict[str, tuple[int | None, ...]] = {}
    for entry in text.split():
        name, *columns = entry.split(":")
        table[name] = tuple(None if column == "-" else int(column) for column in columns)
    return table


SOCKETS = _table("""
    socket:41:198 socketpair:53:199 connect:42:203 bind:49:200 listen:50:201 accept:43:202
    accept4:288:242 sendmsg:46:211 sendmmsg:307:269
""")
"""What opens a connection, or passes descriptors over one. The socket to the parent is open already."""

PROCESSES = _table("""
    fork:57:- vfork:58:- execve:59:221 execveat:322:281 setsid:112:157 setpgid:109:154
""")
"""What starts a process or another program, or leaves the session that is killed as a whole."""

SIGNALS = _table("""
    rt_sigqueueinfo:129:138 rt_tgsigqueueinfo:297:240 pidfd_send_signal:424:424 pidfd_open:434:434
    pidfd_getfd:438:438
""")
"""Ways to signal a process, or take its descriptors, that hold no process id to compare."""

OTHER_PROCESSES = _table("""
    ptrace:101:117 process_vm_readv:310:270 process_vm_writev:311:271 process_madvise:440:440
    process_mrelease:448:448 kcmp:312:272 migrate_pages:256:238 move_pages:279:239 setpriority:141:140
    ioprio_set:251:30 sched_setaffinity:203:122 sched_setscheduler:144:119 sched_setparam:142:118
    sched_setattr:314:274
""")
"""What reads or slows down processes of the same user."""

SHARED_MEMORY = _table("""
    memfd_create:319:279 memfd_secret:447:447 shmget:29:194 shmat:30:196 msgget:68:186 semget:64:190
    mq_open:240:180
""")
"""Memory that the limit on the address space does not count, or that outlives the process."""

KERNEL = _table("""
    io_uring_setup:425:425 io_uring_enter:426:426 io_uring_register:427:427 bpf:321:280
    perf_event_open:298:241 userfaultfd:323:282 keyctl:250:219 add_key:248:217 request_key:249:218
    open_by_handle_at:304:265 name_to_handle_at:303:264 fanotify_init:300:262 mount:165:40
    umount2:166:39 fsopen:430:430 fsmount:432:432 fsconfig:431:431 fspick:433:433 move_mount:429:429
    open_tree:428:428 mount_setattr:442:442 pivot_root:155:41 chroot:161:51 unshare:272:97 setns:308:268
    swapon:167:224 swapoff:168:225 reboot:169:142 kexec_load:246:104 kexec_file_load:320:294
    init_module:175:105 finit_module:313:273 delete_module:176:106 acct:163:89 quotactl:179:60
    syslog:103:116 sethostname:170:161 setdomainname:171:162 settimeofday:164:170 clock_settime:227:112
    adjtimex:159:171 clock_adjtime:305:266 iopl:172:- ioperm:173:- modify_ldt:154:-
""")
"""Parts of the kernel that no worker needs. io_uring would get past every other rule here."""

WRITING = _table("""
    creat:85:- truncate:76:45 unlink:87:- unlinkat:263:35 rename:82:- renameat:264:38 renameat2:316:276
    mkdir:83:- mkdirat:258:34 rmdir:84:- link:86:- linkat:265:37 symlink:88:- symlinkat:266:36
    mknod:133:- mknodat:259:33 chmod:90:- fchmod:91:52 fchmodat:268:53 fchmodat2:452:452 chown:92:-
    fchown:93:55 lchown:94:- fchownat:260:54 utime:132:- utimes:235:- futimesat:261:- utimensat:280:88
    setxattr:188:5 lsetxattr:189:6 fsetxattr:190:7 removexattr:197:14 lremovexattr:198:15
    fremovexattr:199:16
""")
"""What changes the file system by path; `open` and its kin are told apart by their flags."""

BY_ARGUMENT = _table("""
    open:2:- openat:257:56 openat2:437:437 clone:56:220 clone3:435:435 kill:62:129 tkill:200:130
    tgkill:234:131 prctl:157:167 prlimit64:302:261 fcntl:72:25 ioctl:16:29
""")
"""Allowed or refused by what they are called with, see `sandbox.worker.seccomp`."""
