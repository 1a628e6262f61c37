package privatepg

import (
	"os"
	"syscall"
)

// What [TempDir] looks for.
const (
	memoryDir  = "/dev/shm"
	memoryRoom = 4 << 30 // bytes
)

// TempDir returns where to create data directories that are deleted after use: in memory if there
// is room, otherwise where the system keeps temporary files. A database is about 750 files. On two
// cores, creating and dropping one took 0.98 s on a disk with ext4 and 0.06 s in memory.
func TempDir() string {
	var fs syscall.Statfs_t
	if syscall.Statfs(memoryDir, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < memoryRoom { // #nosec G115 -- a block size is positive
		return os.TempDir()
	}
	if probe, err := os.MkdirTemp(memoryDir, "usher-"); err != nil || os.Remove(probe) != nil {
		return os.TempDir()
	}
	return memoryDir
}
