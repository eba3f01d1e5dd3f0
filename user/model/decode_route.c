/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Routes with their rules. */
#include <errno.h>
#include <string.h>

#include "decoder.h"
#include "regex.h"

#define DISPLAY_MAX	255
#define PATTERN_ALLOWED "a text of 1..255 bytes"

/* ---- patterns ------------------------------------------------------------------------- */

static void decode_word(struct decoder *d, const struct value *value, enum field field,
			const char *text, struct pattern *pattern)
{
	static const char *const nouns[] = {
		[FIELD_PROTOCOL] = "protocol",
		[FIELD_TLS_VERSION] = "TLS version",
		[FIELD_TLS_ECH] = "state of ECH",
	};
	const struct name *name = names_find(field_words(field), text);
	struct text allowed = {0};

	if (name) {
		pattern->protocols = name->value;
		return;
	}
	names_list(field_words(field), &allowed);
	decode_error(d, value, "%s is no %s, allowed: %s", text_quoted(text, strlen(text)).s,
		     nouns[field], allowed.s);
}

/* What makes a pattern one that no server name can match, or NULL. */
static const char *sni_mistake(const char *text)
{
	if (strchr(text, '*'))
		return "holds *, which is no wildcard, allowed: the match endswith or contains "
		       "without it";
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return "is not ASCII, allowed: its form as xn--...";
		else if (*text <= ' ' || *text == 0x7f)
			return "has a space or control character, allowed: a server name";
	return NULL;
}

static void decode_sni(struct decoder *d, const struct value *value, enum match match,
		       struct pattern *pattern)
{
	bool whole_end = match_is_exact(match) || match == MATCH_ENDSWITH;
	const char *mistake = sni_mistake(pattern->text);

	if (mistake) {
		decode_error(d, value, "%s %s", text_quoted(pattern->text, pattern->len).s,
			     mistake);
		return;
	}
	for (char *c = pattern->text; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	if (whole_end && pattern->text[pattern->len - 1] == '.')
		pattern->text[--pattern->len] = '\0';
	if (!pattern->len)
		decode_error(d, value,
			     "\".\" is nothing without its trailing dot, allowed: a name");
}

void decode_regex(struct decoder *d, const struct value *value, const char *text, bool any_case)
{
	struct regex_mistake mistake;
	struct regex *regex = NULL;
	int err = regex_compile(text, any_case, &regex, &mistake);

	regex_free(regex);
	if (err == -EINVAL)
		decode_error(d, value, "%s is wrong behind byte %zu: %s, allowed: a PCRE2 pattern",
			     text_quoted(text, strlen(text)).s, mistake.at, mistake.text);
	else if (err)
		d->out_of_memory = true;
}

/* One pattern of a rule; `text` is the value, or an item of its comma list. */
static void decode_pattern(struct decoder *d, const struct value *value, const struct rule *rule,
			   const char *text, struct pattern *pattern)
{
	pattern->text = decode_copy(d, text);
	pattern->len = strlen(text);
	if (!pattern->len)
		decode_error(d, value, "%s holds an empty pattern, allowed: 1 byte at least",
			     value_quoted(value).s);
	else if (field_words(rule->field))
		decode_word(d, value, rule->field, text, pattern);
	else if (rule->field == FIELD_SOURCE)
		decode_prefix(d, value, text, &pattern->source);
	else if (rule->match == MATCH_MATCHES)
		decode_regex(d, value, text, rule->field == FIELD_SNI);
	else if (rule->field == FIELD_SNI && pattern->text)
		decode_sni(d, value, rule->match, pattern);
}

static bool too_long(struct decoder *d, const struct value *value, size_t len)
{
	if (len > MAX_PATTERN)
		decode_error(d, value, "%s has %zu bytes, allowed: at most %d",
			     value_quoted(value).s, len, MAX_PATTERN);
	return len > MAX_PATTERN;
}

/* The items of a comma list, without the spaces around them. */
static void decode_comma_list(struct decoder *d, const struct value *value, struct rule *rule,
			      const char *text)
{
	size_t n = 1;

	for (const char *c = text; *c; c++)
		n += *c == ',';
	rule->patterns = decode_alloc(d, n, sizeof(*rule->patterns));
	for (size_t i = 0; i < n && rule->patterns; i++) {
		char item[MAX_PATTERN + 1];
		const char *comma = text + strcspn(text, ",");
		const char *first = text + strspn(text, " "), *last = comma;

		while (last > first && last[-1] == ' ')
			last--;
		if (first > last)
			first = last;
		memcpy(item, first, last - first);
		item[last - first] = '\0';
		decode_pattern(d, value, rule, item, &rule->patterns[rule->n_patterns++]);
		if (first == last) /* told, and of more such items there is no more to tell */
			return;
		text = comma + 1;
	}
}

static void decode_text_pattern(struct decoder *d, const struct value *value, struct rule *rule)
{
	const char *text = decode_item_text(d, value, PATTERN_ALLOWED);

	if (!text || too_long(d, value, strlen(text)))
		return;
	rule->text = decode_copy(d, text);
	if (rule->match == MATCH_IN) {
		decode_comma_list(d, value, rule, text);
	} else if (rule->field != FIELD_ALPN && rule->match != MATCH_MATCHES && strchr(text, ',')) {
		decode_error(d, value,
			     "%s holds a comma, allowed: one pattern, a list needs the match in",
			     value_quoted(value).s);
	} else {
		rule->patterns = decode_alloc(d, 1, sizeof(*rule->patterns));
		if (!rule->patterns)
			return;
		rule->n_patterns = 1;
		decode_pattern(d, value, rule, text, rule->patterns);
	}
}

/* The text of an item that can stand in a comma list, else NULL after adding a problem. */
static const char *decode_item(struct decoder *d, const struct value *item)
{
	const char *text = decode_item_text(d, item, PATTERN_ALLOWED);
	size_t len = text ? strlen(text) : 0;
	const char *mistake = NULL;

	if (text && strchr(text, ','))
		mistake = "holds a comma";
	else if (len && (text[0] == ' ' || text[len - 1] == ' '))
		mistake = "begins or ends with a space";
	if (mistake)
		decode_error(d, item,
			     "%s %s, allowed: a list of patterns that do not, or a rule with the "
			     "match is",
			     value_quoted(item).s, mistake);
	return mistake ? NULL : text;
}

static void append_item(char joined[MAX_PATTERN + 1], const char *text)
{
	if (*joined)
		strcat(joined, ",");
	strcat(joined, text);
}

static void decode_list_pattern(struct decoder *d, const struct value *value, struct rule *rule)
{
	size_t n = json_array_size(value->json), len = 0;
	char joined[MAX_PATTERN + 1] = "";

	if (rule->match != MATCH_IN) {
		decode_error(d, value, "is a list, allowed: a string, a list needs the match in");
		return;
	}
	if (!n)
		decode_error(d, value, "is empty, allowed: at least one pattern");
	rule->patterns = decode_alloc(d, n, sizeof(*rule->patterns));
	for (size_t i = 0; i < n && rule->patterns; i++) {
		struct value item = value_item(value, i);
		const char *text = decode_item(d, &item);

		len += text ? strlen(text) + (i > 0) : 0;
		if (too_long(d, value, len))
			return;
		if (!text)
			continue;
		append_item(joined, text);
		decode_pattern(d, &item, rule, text, &rule->patterns[rule->n_patterns++]);
	}
	rule->text = decode_copy(d, joined);
}

/* ---- rules ---------------------------------------------------------------------------- */

/* Which patterns are allowed depends on field and match: finish_rule() decodes them. */
static void decode_later(struct decoder *d, const struct attribute *a, const struct value *value,
			 void *object)
{
}

static json_t *encode_pattern(const struct attribute *a, const void *object)
{
	const struct rule *rule = object;

	return rule->text ? json_string(rule->text) : NULL;
}

static const struct type type_pattern = {decode_later, encode_pattern, NULL};

static const struct attribute rule_rows[] = {
	{"id", &type_id, FIELD(struct rule, o.id), .min = 1, .max = MAX_RULES, .kind = KIND_RULE},
	{"name", &type_name, FIELD(struct rule, o.name), .nullable = true},
	{"display_name", &type_title, FIELD(struct rule, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"field", &type_enum, FIELD(struct rule, field), .required = true, .names = &field_names},
	{"match", &type_enum, FIELD(struct rule, match), .required = true, .names = &match_names},
	{"negate", &type_bool, FIELD(struct rule, negate), .nullable = true},
	{"pattern", &type_pattern, .nullable = true},
	{"sub_field", &type_refused, .nullable = true,
	 .why = "is of no use, no field of this version has sub-fields"},
};

static const struct table rule_table = TABLE(rule_rows);

bool field_takes_match(enum field field, enum match match)
{
	if (field == FIELD_SNI || field == FIELD_ALPN || match_is_exact(match))
		return true;
	return match == MATCH_EXISTS && field_of_hello(field);
}

static bool match_fits(struct decoder *d, const struct value *value, const struct rule *rule)
{
	struct value match = value_member(value, "match");

	if (field_takes_match(rule->field, rule->match))
		return true;
	decode_error(d, &match, "%s does not go with the field %s, allowed: is, in%s",
		     value_quoted(&match).s, names_text(&field_names, rule->field),
		     field_takes_match(rule->field, MATCH_EXISTS) ? ", exists" : "");
	return false;
}

static void finish_rule(struct decoder *d, const struct value *value, void *object)
{
	struct value pattern = value_member(value, "pattern");
	bool unset = !pattern.json || json_is_null(pattern.json);
	struct rule *rule = object;

	if (!rule->field || !rule->match || !match_fits(d, value, rule))
		return;
	if (rule->match == MATCH_EXISTS && !unset)
		decode_error(d, &pattern, "%s does not go with the match exists, allowed: null",
			     value_quoted(&pattern).s);
	else if (rule->match != MATCH_EXISTS && unset)
		decode_error(d, &pattern,
			     "is missing, the match %s needs one, allowed: " PATTERN_ALLOWED,
			     names_text(&match_names, rule->match));
	else if (json_is_array(pattern.json))
		decode_list_pattern(d, &pattern, rule);
	else if (!unset)
		decode_text_pattern(d, &pattern, rule);
}

const struct list rule_list = {
	.kind = KIND_RULE,
	.size = sizeof(struct rule),
	.count_offset = offsetof(struct route, n_rules),
	.max = RULES_PER_ROUTE,
	.table = &rule_table,
	.finish = finish_rule,
};

/* ---- routes --------------------------------------------------------------------------- */

static const struct attribute action_rows[] = {
	{"type", &type_enum, FIELD(struct route, action), .required = true, .names = &action_names},
	{"target", &type_farm, FIELD(struct route, target), .nullable = true},
};

static const struct table action_table = TABLE(action_rows);

static const struct attribute route_rows[] = {
	{"id", &type_id, FIELD(struct route, o.id), .min = 1, .max = MAX_ROUTES,
	 .kind = KIND_ROUTE},
	{"name", &type_name, FIELD(struct route, o.name), .required = true},
	{"display_name", &type_title, FIELD(struct route, o.display_name), .nullable = true,
	 .max = DISPLAY_MAX},
	{"frontend", &type_frontend, FIELD(struct route, frontend), .nullable = true},
	{"weight", &type_integer, FIELD(struct route, weight), .nullable = true, .max = 255},
	{"action", &type_mapping, .required = true, .table = &action_table},
	{"rules", &type_list, FIELD(struct route, rules), .nullable = true, .list = &rule_list},
};

static const struct table route_table = TABLE(route_rows);

static void finish_route(struct decoder *d, const struct value *value, void *object)
{
	struct value action = value_member(value, "action");
	struct value rules = value_member(value, "rules");
	struct value target = {0};
	const struct route *route = object;

	if (route->action) {
		target = value_member(&action, "target");
		if (route->action == ACTION_FARM && !route->target && !json_is_string(target.json))
			decode_error(d, &target,
				     "is missing, the action farm needs one, allowed: the %s of "
				     "a farm",
				     d->problems->api_names ? "id" : "name");
		else if (route->action == ACTION_REJECT && target.json &&
			 !json_is_null(target.json))
			decode_error(d, &target,
				     "%s does not go with the action reject, allowed: null",
				     value_quoted(&target).s);
	}
	if (!rules.json || !json_array_size(rules.json))
		decode_warning(d, &rules, "no rules: the route never matches");
}

const struct list route_list = {
	.kind = KIND_ROUTE,
	.size = sizeof(struct route),
	.count_offset = offsetof(struct config, n_routes),
	.max = MAX_ROUTES,
	.table = &route_table,
	.finish = finish_route,
};
