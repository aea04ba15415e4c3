package cpu

func readAll(mem []byte) {
	if detect() == levelGo {
		readAllGo(mem)
		return
	}
	readBytes(&mem[0], len(mem)/8, len(mem)/8)
}

// fmaVector is the number of values that one step of fmaLoop multiplies.
func fmaVector() int {
	return [...]int{levelGo: 1, levelAVX2: 12 * 8, levelAVX512: 12 * 16}[detect()]
}

func fmaLoop(n int) {
	x := float32(1e-30)
	switch detect() {
	case levelGo:
		fmaLoopGo(n)
	case levelAVX2:
		fmaAVX2(n, &x)
	case levelAVX512:
		fmaAVX512(n, &x)
	}
}

// dotLoop multiplies 12 times 64 bytes n times and says so, or that this machine has no instruction for it.
func dotLoop(n int) bool {
	if detect() != levelAVX512 {
		return false
	}
	dotVNNI(n)
	return true
}
