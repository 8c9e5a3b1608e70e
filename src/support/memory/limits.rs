//! How much memory this process can still get, and what limits it: the machine, a control group, or `ulimit`.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory that can be had, and what says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Available {
    pub bytes: u64,
    /// As the subject and verb of "... 2 GB".
    pub limit: &'static str,
}

/// The tightest limit, where the system tells any.
pub fn available() -> Option<Available> {
    let root = Path::new("/");
    let found = [machine(root), control_groups(root), address_space(), data_segment()];
    found.into_iter().flatten().min_by_key(|available| available.bytes)
}

/// What can be had without swapping.
fn machine(root: &Path) -> Option<Available> {
    let bytes = kilobytes(&root.join("proc/meminfo"), "MemAvailable:")?;
    Some(Available { bytes, limit: "this machine has" })
}

/// The value in bytes of a line such as `VmSize:   1234 kB`.
fn kilobytes(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The files of a memory controller. Version 1 counts descendants only under keys that begin with `total_`.
struct Version {
    limits: &'static [&'static str],
    usage: &'static str,
    /// Counters in `memory.stat` of what the kernel takes back before it kills: file pages and caches.
    reclaimable: &'static [&'static str],
}

const VERSION_1: Version = Version {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    reclaimable: &["total_inactive_file", "total_active_file"],
};
const VERSION_2: Version = Version {
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    reclaimable: &["inactive_file", "active_file", "slab_reclaimable"],
};

/// What the control groups of this process leave, the tightest of each with all its ancestors.
fn control_groups(root: &Path) -> Option<Available> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
    let left = groups.lines().filter_map(|line| {
        // hierarchy:controllers:path, of which version 2 is `0::/path`.
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match controllers {
            "" => VERSION_2,
            names if names.split(',').any(|name| name == "memory") => VERSION_1,
            _ => return None,
        };
        let (top, own) = mounted(&mounts, controllers.is_empty(), Path::new(path))?;
        let within = |folder: PathBuf| root.join(folder.strip_prefix("/").unwrap_or(&folder));
        let (top, own) = (within(top), within(own));
        own.ancestors()
            .take_while(|folder| folder.starts_with(&top))
            .filter_map(|at| left(at, &version))
            .min()
    });
    Some(Available { bytes: left.min()?, limit: "the control group allows" })
}

/// Where a hierarchy is mounted, and the directory of the group `path` in it.
fn mounted(mounts: &str, version_2: bool, path: &Path) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        // id parent device root mount-point options ... - type source super-options
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let (name, options) = (kind.next()?, kind.nth(1)?);
        let is_it = match name {
            "cgroup2" => version_2,
            "cgroup" => !version_2 && options.split(',').any(|option| option == "memory"),
            _ => false,
        };
        let mut fields = mount.split(' ').skip(3);
        let (root, top) = (fields.next()?, PathBuf::from(fields.next()?));
        // In a container the mount may begin at the container's own group, and the path may be the host's.
        let below = path.strip_prefix(root).unwrap_or(Path::new(""));
        is_it.then(|| (top.clone(), top.join(below)))
    })
}

/// What one group leaves: its limit less what it uses and cannot give back. None where it has no limit.
fn left(group: &Path, version: &Version) -> Option<u64> {
    let number = |file: &str| fs::read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
    // `max` is no number, and so no limit.
    let limit = version.limits.iter().filter_map(|file| number(file)).min()?;
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let counter = |key: &&str| {
        statistics.lines().find_map(|line| line.strip_prefix(*key)?.strip_prefix(' ')?.parse::<u64>().ok())
    };
    let reclaimable: u64 = version.reclaimable.iter().filter_map(counter).sum();
    Some(limit.saturating_sub(number(version.usage)?.saturating_sub(reclaimable)))
}

#[cfg(target_os = "linux")]
fn address_space() -> Option<Available> {
    resource(libc::RLIMIT_AS, "VmSize:", "ulimit -v allows")
}

#[cfg(target_os = "linux")]
fn data_segment() -> Option<Available> {
    resource(libc::RLIMIT_DATA, "VmData:", "ulimit -d allows")
}

/// What a limit of the process leaves, `used` being a line of /proc/self/status.
#[cfg(target_os = "linux")]
fn resource(which: libc::__rlimit_resource_t, used: &str, limit: &'static str) -> Option<Available> {
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `found` is a whole rlimit, which the call fills in.
    let is_told = unsafe { libc::getrlimit(which, &raw mut found) } == 0;
    let status = |key| kilobytes(Path::new("/proc/self/status"), key);
    // What the allocator has reserved and not touched yet, it can still give.
    let reserved = status("VmData:")?.saturating_sub(status("RssAnon:")?);
    let used = status(used)?.saturating_sub(reserved);
    let is_set = is_told && found.rlim_cur != libc::RLIM_INFINITY;
    is_set.then(|| Available { bytes: found.rlim_cur.saturating_sub(used), limit })
}

#[cfg(not(target_os = "linux"))]
fn address_space() -> Option<Available> {
    None
}

#[cfg(not(target_os = "linux"))]
fn data_segment() -> Option<Available> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const MB: u64 = 1 << 20;

    /// A file system with these files.
    fn system(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = root.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        root
    }

    fn group_of(files: &[(&str, &str)]) -> Option<u64> {
        control_groups(system(files).path()).map(|available| available.bytes)
    }

    const MOUNTS_2: (&str, &str) = (
        "proc/self/mountinfo",
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
    );

    #[test]
    fn available_memory_excludes_swap() {
        let root =
            system(&[("proc/meminfo", "MemTotal:  99 kB\nMemFree:  1 kB\nMemAvailable:    2048 kB\n")]);
        assert_eq!(machine(root.path()), Some(Available { bytes: 2 * MB, limit: "this machine has" }));
    }

    #[test]
    fn the_smallest_limit_of_nested_cgroups_applies() {
        let found = group_of(&[
            MOUNTS_2,
            ("proc/self/cgroup", "0::/user.slice/job.scope\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "104857600\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "94371840\n"),
            ("sys/fs/cgroup/user.slice/job.scope/memory.max", "52428800\n"),
            ("sys/fs/cgroup/user.slice/job.scope/memory.current", "1048576\n"),
        ]);
        assert_eq!(found, Some(10 * MB));
    }

    #[test]
    fn soft_limits_apply_and_reclaimable_caches_count_as_free() {
        let found = group_of(&[
            MOUNTS_2,
            ("proc/self/cgroup", "1:name=systemd:/\n0::/job\n"),
            ("sys/fs/cgroup/job/memory.max", "104857600\n"),
            ("sys/fs/cgroup/job/memory.high", "73400320\n"),
            ("sys/fs/cgroup/job/memory.current", "62914560\n"),
            (
                "sys/fs/cgroup/job/memory.stat",
                "anon 1\nfile 9\ninactive_file 10485760\nactive_file 5242880\nslab_reclaimable 5242880\n",
            ),
        ]);
        assert_eq!(found, Some(30 * MB));
    }

    #[test]
    fn cgroup_v1_limits_are_found_inside_containers() {
        for (path, root) in [("/docker/abc", "/docker/abc"), ("/docker/abc", "/"), ("/", "/docker/abc")] {
            let at = if root == "/" { "sys/fs/cgroup/memory/docker/abc" } else { "sys/fs/cgroup/memory" };
            let mounts = format!(
                "31 30 0:27 {root} /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 30 0:28 {root} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            );
            let found = group_of(&[
                ("proc/self/cgroup", &format!("7:cpu,cpuacct:{path}\n4:memory:{path}\n0::/\n")),
                ("proc/self/mountinfo", &mounts),
                (&format!("{at}/memory.limit_in_bytes"), "104857600"),
                (&format!("{at}/memory.usage_in_bytes"), "83886080"),
                (&format!("{at}/memory.stat"), "inactive_file 1\ntotal_inactive_file 31457280\n"),
            ]);
            assert_eq!(found, Some(50 * MB), "{path} {root}");
        }
    }

    #[test]
    fn unlimited_cgroups_have_no_limit() {
        let found = group_of(&[
            MOUNTS_2,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.current", "1\n"),
        ]);
        assert_eq!(found, None);
        assert_eq!(group_of(&[]), None);
        assert_eq!(
            group_of(&[("proc/self/cgroup", "nonsense\n"), ("proc/self/mountinfo", "more\n - \n")]),
            None
        );
    }
}
