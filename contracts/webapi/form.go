package webapi

type formState struct{}

func (c *call) readForm(body []byte) []value { return nil }
