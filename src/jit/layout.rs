//! Offsets in the structures of C Lua, as C itself says them (lua-5.4/port/jit_layout.c).

/// Offsets of fields, and the addresses of two counters.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Layout {
    /// Fields of this structure, so that the two sides cannot disagree on their number.
    pub(crate) fields: u32,
    pub(crate) state_ci: u32,
    pub(crate) state_top: u32,
    pub(crate) state_stack_last: u32,
    pub(crate) call_func: u32,
    pub(crate) call_top: u32,
    pub(crate) call_previous: u32,
    pub(crate) call_next: u32,
    pub(crate) call_savedpc: u32,
    pub(crate) call_nresults: u32,
    pub(crate) call_callstatus: u32,
    pub(crate) proto_numparams: u32,
    pub(crate) proto_is_vararg: u32,
    pub(crate) proto_maxstacksize: u32,
    pub(crate) proto_sizecode: u32,
    pub(crate) proto_sizek: u32,
    pub(crate) proto_sizep: u32,
    pub(crate) proto_sizeupvalues: u32,
    pub(crate) proto_code: u32,
    pub(crate) proto_k: u32,
    pub(crate) proto_p: u32,
    pub(crate) proto_upvalues: u32,
    pub(crate) proto_jit: u32,
    pub(crate) upvaldesc_size: u32,
    pub(crate) upvaldesc_instack: u32,
    pub(crate) upvaldesc_idx: u32,
    pub(crate) closure_p: u32,
    pub(crate) closure_upvals: u32,
    pub(crate) upval_v: u32,
    pub(crate) object_marked: u32,
    pub(crate) table_lsizenode: u32,
    pub(crate) table_alimit: u32,
    pub(crate) table_array: u32,
    pub(crate) table_node: u32,
    pub(crate) table_metatable: u32,
    pub(crate) table_flags: u32,
    pub(crate) table_lastfree: u32,
    pub(crate) node_size: u32,
    pub(crate) node_next: u32,
    pub(crate) node_key: u32,
    pub(crate) string_hash: u32,
    pub(crate) string_shrlen: u32,
    pub(crate) string_contents: u32,
    /// Address of `perilune_fuel`.
    pub(crate) fuel: u32,
    /// Address of the number of compiled frames on the wasm stack.
    pub(crate) depth: u32,
    /// Address of the string "__index" of this VM.
    pub(crate) index_name: u32,
}

/// Number of fields that C must have, too.
pub(crate) const FIELDS: u32 = (size_of::<Layout>() / 4) as u32;
