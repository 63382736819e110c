package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

var guidConversion = conversion{
	as: readAny,
	fromToken: func(v *value, t token, from *tokenValue) bool {
		if t != tokenString && t != tokenStartConstructor {
			return false
		}
		return v.setGUID(from.text) == dotnet.OK
	},
	fromText: func(v *value, text []byte, _ *dotnet.TimeZone) dotnet.Result { return v.setGUID(text) },
	write: func(out []byte, v *value, _ *dotnet.TimeZone) []byte {
		return append(v.guid.Append(append(out, '"')), '"')
	},
}

func (v *value) setGUID(text []byte) dotnet.Result {
	g, result := dotnet.ParseGUID(text)
	if result == dotnet.OK {
		v.present, v.guid = true, g
	}
	return result
}
