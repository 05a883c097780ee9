using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;

namespace Spawngate.Tests;

/// <summary>The instructions of a compiled method, as far as they name a type, a method or a field.</summary>
internal static class Instructions
{
    private static readonly Dictionary<int, OpCode> OpCodesByValue = typeof(OpCodes)
        .GetFields()
        .Select(static field => (OpCode)field.GetValue(null)!)
        .ToDictionary(static code => (int)(ushort)code.Value);

    /// <summary>What the instructions of a method name, each with the instruction.</summary>
    public static List<(OpCode Code, EntityHandle Operand)> Operands(BlobReader code)
    {
        List<(OpCode, EntityHandle)> found = [];
        while (code.RemainingBytes > 0)
        {
            int value = code.ReadByte();
            var opCode = OpCodesByValue[value == 0xFE ? 0xFE00 | code.ReadByte() : value];
            switch (opCode.OperandType)
            {
                case OperandType.InlineField or OperandType.InlineMethod or OperandType.InlineTok or OperandType.InlineType:
                    found.Add((opCode, MetadataTokens.EntityHandle(code.ReadInt32())));
                    break;
                case OperandType.InlineSwitch:
                    var targets = code.ReadInt32();
                    code.Offset += 4 * targets;
                    break;
                case var operand:
                    code.Offset += BytesOf(operand);
                    break;
            }
        }

        return found;
    }

    private static int BytesOf(OperandType operand) =>
        operand switch
        {
            OperandType.InlineNone => 0,
            OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
            OperandType.InlineVar => 2,
            OperandType.InlineI8 or OperandType.InlineR => 8,
            _ => 4,
        };
}
