package contracts

import "strings"

// Type is the type of a body, a field, a parameter, a list's element or a
// dictionary's value.
type Type struct {
	// Kind is what values of the type are.
	Kind Kind `json:"kind"`
	// Fact is the origin of the kind.
	Fact Fact `json:"fact"`
	// Nullable reports whether null is a value of the type.
	Nullable bool `json:"nullable"`
	// NullableOpen marks that nothing settles Nullable, which is a default then: the page
	// neither allows nor forbids null.
	NullableOpen bool `json:"nullableOpen,omitempty"`
	// NullableFact is the origin of Nullable.
	NullableFact Fact `json:"nullableFact"`
	// Element is the type of a list's elements or a dictionary's values; nil for
	// other kinds.
	Element *Type `json:"element,omitempty"`
	// Key is the type of a dictionary's keys; nil for other kinds.
	Key *Type `json:"key,omitempty"`
	// Model is the class of an object; nil for other kinds.
	Model *Model `json:"model,omitempty"`
	// Enum has the members of an enumeration; nil for other kinds.
	Enum *Enum `json:"enum,omitempty"`
}

// AdmitsNull reports a type of which null is certainly a value.
func (t *Type) AdmitsNull() bool { return t.Nullable && !t.NullableOpen }

// Enum is a C# enumeration as its page shows it.
type Enum struct {
	// Name is the name of the type.
	Name string `json:"name"`
	// Fact is the origin of the members.
	Fact Fact `json:"fact"`
	// Members are the names by value, in the page's order.
	Members []string `json:"members"`
}

// Word is the page's word for the type, e.g. "Collection of Reasons".
func (t *Type) Word() string {
	switch {
	case t.Element != nil:
		return t.Kind.Word() + t.Element.Word()
	case t.Model != nil:
		return t.Model.Name
	}
	return t.Kind.Word()
}

// Model is a C# class as the page shows it.
type Model struct {
	// Name is the class name, e.g. AppointmentModel.
	Name string `json:"name"`
	// Fact is the origin of the model.
	Fact Fact `json:"fact"`
	// Fields are in the page's order, which is that of the C# class.
	Fields []Field `json:"fields"`
}

// Field is one field of a model, or a parameter.
type Field struct {
	// Name is in the page's spelling.
	Name string `json:"name"`
	// Description is the page's text about the field; usually empty.
	Description string `json:"description,omitempty"`
	// Type is the type of its values.
	Type Type `json:"type"`
	// Constraints are the field's annotations, in the page's order.
	Constraints []Constraint `json:"constraints,omitempty"`
}

// Field finds a field by name, whose case does not matter; nil if there is none.
func (m *Model) Field(name string) *Field {
	for i := range m.Fields {
		if strings.EqualFold(m.Fields[i].Name, name) {
			return &m.Fields[i]
		}
	}
	return nil
}

// Elements is the model of a list's elements; nil unless it is a list of models.
func (f *Field) Elements() *Model {
	if f.Type.Element == nil {
		return nil
	}
	return f.Type.Element.Model
}

// Place is a field and where it stands in a body.
type Place struct {
	// Path leads to the field.
	Path Path
	// Field is the field.
	Field *Field
	// Parent is the list in whose elements the field stands; nil for a field of the
	// body itself.
	Parent *Place
}

// Places are all fields of a model at a path, in the page's order, those of a
// list's elements after the list.
func (m *Model) Places(at Path) []Place { return m.places(nil, at, nil) }

func (m *Model) places(all []Place, at Path, parent *Place) []Place {
	for i := range m.Fields {
		f := &m.Fields[i]
		p := Place{Path: at.Field(f.Name), Field: f, Parent: parent}
		all = append(all, p)
		if elements := f.Elements(); elements != nil {
			all = elements.places(all, p.Path.Element(), &p)
		}
	}
	return all
}

// Places are all fields of the body.
func (o *Operation) Places() []Place {
	if model := o.Model(); model != nil {
		return model.Places("")
	}
	return nil
}

// Field is the field at a path; nil if there is none.
func (o *Operation) Field(at Path) *Field {
	if model := o.Model(); model != nil {
		return model.field("", at)
	}
	return nil
}

func (m *Model) field(under, at Path) *Field {
	for i := range m.Fields {
		f := &m.Fields[i]
		path := under.Field(f.Name)
		if path == at {
			return f
		}
		if elements := f.Elements(); elements != nil && strings.HasPrefix(string(at), string(path)) {
			if found := elements.field(path.Element(), at); found != nil {
				return found
			}
		}
	}
	return nil
}
