package checkout

// Work makes a checkout one that this process is working on, until done is
// called.
func (s *Service) Work(id string) (done func()) {
	if _, free := s.claim(id, ""); !free {
		panic("somebody is working on " + id)
	}
	return func() { s.release(id, nil) }
}
