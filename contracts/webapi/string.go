package webapi

import "github.com/seed47566266/understudy/contracts/webapi/dotnet"

var stringConversion = conversion{
	as: readString,
	fromToken: func(v *value, t token, from *tokenValue) bool {
		if t != tokenString && t != tokenStartConstructor {
			return false
		}
		v.present, v.text = true, from.text
		return true
	},
	fromText: func(v *value, text []byte, _ *dotnet.TimeZone) dotnet.Result {
		v.present, v.text = true, text
		return dotnet.OK
	},
	keepsSpace: true,
	write: func(out []byte, v *value, _ *dotnet.TimeZone) []byte {
		return append(appendEscaped(append(out, '"'), v.text, '"'), '"')
	},
}
