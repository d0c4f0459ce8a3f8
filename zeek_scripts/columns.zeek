##! Columns that other packages write too, such as ja3. Zeek refuses to start where two scripts give a record a field of
##! the same name. So here such a field has the prefix aegis_, which its column in the log lacks; and where another script
##! brings that column, ours is left out. In which order they are loaded does not matter.

@load base/frameworks/logging

module AegisColumns;

function leave_out(id: Log::ID, field: string)
	{
	for ( name in Log::get_filter_names(id) )
		{
		local filter = Log::get_filter(id, name);
		if ( ! filter?$exclude )
			filter$exclude = set();
		add filter$exclude[field];
		Log::add_filter(id, filter);
		}
	}

# When all streams and filters are there.
event zeek_init() &priority=-20
	{
	for ( id, stream in Log::active_streams )
		{
		local fields = record_fields(stream$columns);
		for ( field in fields )
			if ( field in Log::default_field_name_map && Log::default_field_name_map[field] in fields &&
			     starts_with(field, "aegis_") )
				leave_out(id, field);
		}
	}
