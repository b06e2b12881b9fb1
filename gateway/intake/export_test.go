package intake

// What may be awaited, for tests that fill it.
const (
	MaxAwaitsPerSender = maxAwaitsPerSender
	MaxAwaitsInAll     = maxAwaitsInAll
	MaxFilesPerSender  = maxFilesPerSender
)

// Shrink divides the room for what is awaited by n, before Run.
func (x *Intake) Shrink(n int) {
	x.room.perSender /= n
	x.room.inAll /= n
	x.room.filesPerSender /= n
	x.room.filesInAll /= n
}
