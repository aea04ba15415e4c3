package attrib

// suffixArray sorts all suffixes of s by SA-IS (Nong, Zhang and Chan: "Two
// Efficient Algorithms for Linear Time Suffix Array Construction"). Values lie
// in [0, upper]; a suffix that is a prefix of another comes first.
func suffixArray(s []int32, upper int32) []int32 {
	n := len(s)
	switch n {
	case 0:
		return []int32{}
	case 1:
		return []int32{0}
	case 2:
		if s[0] < s[1] {
			return []int32{0, 1}
		}
		return []int32{1, 0}
	}
	// A suffix is S-type when it is smaller than the one after it.
	isS := make([]bool, n)
	for i := n - 2; i >= 0; i-- {
		isS[i] = s[i] < s[i+1] || (s[i] == s[i+1] && isS[i+1])
	}
	// Bucket starts: L-types of a value come before its S-types.
	startL := make([]int32, upper+2)
	startS := make([]int32, upper+2)
	for i := range n {
		if isS[i] {
			startL[s[i]+1]++
		} else {
			startS[s[i]]++
		}
	}
	for v := int32(0); v <= upper; v++ {
		startS[v] += startL[v]
		startL[v+1] += startS[v]
	}
	sa := make([]int32, n)
	cursor := make([]int32, upper+2)
	induce := func(lms []int32) {
		for i := range sa {
			sa[i] = -1
		}
		copy(cursor, startS)
		for _, p := range lms {
			sa[cursor[s[p]]] = p
			cursor[s[p]]++
		}
		copy(cursor, startL)
		last := int32(n - 1)
		sa[cursor[s[last]]] = last
		cursor[s[last]]++
		for i := range n {
			if p := sa[i]; p >= 1 && !isS[p-1] {
				sa[cursor[s[p-1]]] = p - 1
				cursor[s[p-1]]++
			}
		}
		copy(cursor, startL)
		for i := n - 1; i >= 0; i-- {
			if p := sa[i]; p >= 1 && isS[p-1] {
				cursor[s[p-1]+1]--
				sa[cursor[s[p-1]+1]] = p - 1
			}
		}
	}
	lmsRank := make([]int32, n+1)
	var lms []int32
	for i := range lmsRank {
		lmsRank[i] = -1
	}
	for i := 1; i < n; i++ {
		if !isS[i-1] && isS[i] {
			lmsRank[i] = int32(len(lms))
			lms = append(lms, int32(i))
		}
	}
	induce(lms)
	m := len(lms)
	if m == 0 {
		return sa
	}
	sorted := make([]int32, 0, m)
	for _, p := range sa {
		if lmsRank[p] != -1 {
			sorted = append(sorted, p)
		}
	}
	// Name the LMS substrings in order; recurse while names repeat.
	names := make([]int32, m)
	name := int32(0)
	for i := 1; i < m; i++ {
		if !sameLMS(s, lms, lmsRank, sorted[i-1], sorted[i]) {
			name++
		}
		names[lmsRank[sorted[i]]] = name
	}
	for i, r := range suffixArray(names, name) {
		sorted[i] = lms[r]
	}
	induce(sorted)
	return sa
}

// sameLMS compares the LMS substrings that start at l and r.
func sameLMS(s, lms, rank []int32, l, r int32) bool {
	n := int32(len(s))
	endL, endR := n, n
	if int(rank[l])+1 < len(lms) {
		endL = lms[rank[l]+1]
	}
	if int(rank[r])+1 < len(lms) {
		endR = lms[rank[r]+1]
	}
	if endL-l != endR-r {
		return false
	}
	for l < endL {
		if s[l] != s[r] {
			return false
		}
		l++
		r++
	}
	return l != n && r != n && s[l] == s[r]
}
